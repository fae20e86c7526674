import { styleText } from "node:util";

/** Progress lines of the local network: on stderr, so that stdout stays the result's. */
export interface Progress {
  step(text: string): void;
  detail(text: string): void;
  /** What a long step is at; shown in passing, and only now and then where lines cannot be taken back. */
  activity(text: string): void;
  done(text: string): void;
}

const ACTIVITY_EVERY_MS = { terminal: 100, log: 15_000 } as const;

/** Prints steps with the seconds since the start. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const started = performance.now();
  const every = stream.isTTY ? ACTIVITY_EVERY_MS.terminal : ACTIVITY_EVERY_MS.log;
  let activityAt = started;
  let passing = false;
  const paint = (style: Parameters<typeof styleText>[0], text: string) => styleText(style, text, { stream });
  const line = (mark: string, text: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
    if (passing) stream.write("\r\u001b[K");
    passing = mark === "…" && stream.isTTY;
    const shown = passing ? text.slice(0, Math.max(20, stream.columns - 12)) : text;
    stream.write(`${paint("gray", `${seconds}s`)} ${mark} ${shown}${passing ? "" : "\n"}`);
  };
  return {
    step: (text) => line(paint("cyan", "›"), text),
    activity: (text) => {
      if (performance.now() - activityAt < every) return;
      activityAt = performance.now();
      line("…", paint("gray", text));
    },
    detail: (text) => line(" ", paint("gray", text)),
    done: (text) => line(paint("green", "✓"), text),
  };
}
