/** The mark: three peers, no middle. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path
        d="M8 9.5H24L16 24Z"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="2.25"
        strokeLinejoin="round"
      />
      <g fill="var(--text)">
        <circle cx="8" cy="9.5" r="4" />
        <circle cx="24" cy="9.5" r="4" />
        <circle cx="16" cy="24" r="4" />
      </g>
    </svg>
  );
}
