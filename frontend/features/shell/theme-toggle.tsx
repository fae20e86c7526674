"use client";

import { Button } from "../../ui/button.tsx";

/** Light or dark instead of the system's choice, kept in this browser (see public/theme.js). */
export function ThemeToggle() {
  const toggle = () => {
    const root = document.documentElement;
    const shown =
      root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = shown === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    try {
      localStorage.setItem("dekuper.theme", next);
    } catch {
      // Storage is blocked: the choice lasts until the page is reloaded.
    }
  };
  return (
    <Button variant="ghost" size="small" onClick={toggle} aria-label="Switch between light and dark">
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5Z" fill="currentColor" />
      </svg>
    </Button>
  );
}
