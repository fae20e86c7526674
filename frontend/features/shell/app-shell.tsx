"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { Logo } from "../../ui/logo.tsx";
import { ChainStatus } from "../network/chain-status.tsx";
import { NetworkCheck } from "../network/network-check.tsx";
import { WrongNetworkBanner } from "../network/wrong-network-banner.tsx";
import { WalletButton } from "../wallet/wallet-button.tsx";
import styles from "./app-shell.module.css";
import { ThemeToggle } from "./theme-toggle.tsx";

const pages = [
  ["/", "Network"],
  ["/submit", "New task"],
  ["/tasks", "My tasks"],
  ["/account", "Account"],
] as const;

/** What stands around every page. */
export function AppShell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const isCurrent = (href: string) => (href === "/" ? path === "/" : path.startsWith(href));
  return (
    <div className={styles.shell}>
      <a href="#content" className={styles.skip}>
        Skip to content
      </a>
      <header className={styles.header}>
        <div className={styles.bar}>
          <Link href="/" className={styles.brand}>
            <Logo />
            <span>Dekuper</span>
          </Link>
          <nav className={styles.nav} aria-label="Main">
            {pages.map(([href, label]) => (
              <Link
                key={href}
                href={href}
                className={styles.link}
                aria-current={isCurrent(href) ? "page" : undefined}
              >
                {label}
              </Link>
            ))}
          </nav>
          <div className={styles.tools}>
            <ChainStatus />
            <ThemeToggle />
            <WalletButton />
          </div>
        </div>
      </header>
      <WrongNetworkBanner />
      <NetworkCheck />
      <main id="content" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <footer className={styles.footer}>
        <p>
          Private tasks and all outputs are encrypted in transit and at rest; the node that runs a task sees
          it in the clear.
        </p>
        <p>This page talks to the chain and to the nodes directly. There is no server in between.</p>
      </footer>
    </div>
  );
}
