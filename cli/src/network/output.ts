import { styleText } from "node:util";

/** Progress lines of the local network: on stderr, so that stdout stays the result's. */
export interface Progress {
  step(text: string): void;
  detail(text: string): void;
  done(text: string): void;
}

/** Prints steps with the seconds since the start. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const started = performance.now();
  const paint = (style: Parameters<typeof styleText>[0], text: string) => styleText(style, text, { stream });
  const line = (mark: string, text: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
    stream.write(`${paint("gray", `${seconds}s`)} ${mark} ${text}\n`);
  };
  return {
    step: (text) => line(paint("cyan", "›"), text),
    detail: (text) => line(" ", paint("gray", text)),
    done: (text) => line(paint("green", "✓"), text),
  };
}
