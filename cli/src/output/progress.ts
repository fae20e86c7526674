import type { Terminal } from "./terminal.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;

/** What is going on, on stderr: a spinner on a terminal, a line a step elsewhere, nothing with --json. */
export interface Progress {
  /** Begins a step; the one before counts as done. */
  step(text: string): void;
  /** Changes the step's text where it can be overwritten. */
  update(text: string): void;
  /** Ends the current step well. */
  done(text?: string): void;
  /** Wipes the spinner, so that something else can be printed. */
  clear(): void;
}

export function createProgress(out: Terminal): Progress {
  const { stderr } = out.streams;
  const animated = stderr.isTTY === true && !out.json;
  let current: string | undefined;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;

  const wipe = () => {
    if (animated) stderr.write("\r\u001b[K");
  };
  const draw = () => {
    frame += 1;
    const room = Math.max(10, (stderr.columns || 80) - 4);
    wipe();
    stderr.write(
      `${out.paintNote("cyan", FRAMES[frame % FRAMES.length] ?? "")} ${(current ?? "").slice(0, room)}`,
    );
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    wipe();
  };
  const finish = (text: string | undefined) => {
    if (current === undefined) return;
    stop();
    if (animated || text !== undefined) out.note(`${out.paintNote("green", "✓")} ${text ?? current}`);
    current = undefined;
  };
  return {
    step: (text) => {
      finish(undefined);
      current = text;
      if (!animated) return out.note(`${out.paintNote("cyan", "›")} ${text}`);
      timer = setInterval(draw, FRAME_MS);
      timer.unref();
      draw();
    },
    update: (text) => {
      current = text;
    },
    done: finish,
    clear: () => {
      if (current === undefined) return;
      stop();
      current = undefined;
    },
  };
}
