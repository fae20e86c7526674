import type { Moment, Period } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";

const DATE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}))?Z?)?$/;
const DAY = 86_400n;

/** `--from` and `--to`, both included: a block's number, or a date in UTC, with a time or whole. */
export function readPeriod(from: string | undefined, to: string | undefined): Period {
  const period: Period = {
    from: from === undefined ? undefined : readMoment(from, "--from"),
    to: to === undefined ? undefined : readMoment(to, "--to"),
  };
  if (isBackwards(period)) {
    throw new DekuperError("USAGE", `--from ${from} is after --to ${to}.`, {
      hint: "Exchange them, or leave one out.",
    });
  }
  return period;
}

function readMoment(text: string, flag: "--from" | "--to"): Moment {
  if (/^\d+$/.test(text)) return { block: BigInt(text) };
  const [, day, minute, second] = DATE.exec(text.trim()) ?? [];
  const iso = `${day}T${minute ?? "00:00"}:${second ?? "00"}.000Z`;
  const ms = day === undefined ? Number.NaN : Date.parse(iso);
  // A day that its month lacks is read as one of the next month.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) {
    throw new DekuperError("USAGE", `Got ${JSON.stringify(text)} as ${flag}, expected a block or a date.`, {
      details: { got: text },
      hint: 'Blocks are numbers; dates are UTC, such as 2026-01-31 or "2026-01-31 12:00:00".',
    });
  }
  const time = BigInt(ms) / 1000n;
  // A day, minute or second that is named as the end is part of it.
  const length = minute === undefined ? DAY : second === undefined ? 60n : 1n;
  return { time: flag === "--to" ? time + length - 1n : time };
}

function isBackwards({ from, to }: Period): boolean {
  if (from === undefined || to === undefined) return false;
  if ("block" in from && "block" in to) return from.block > to.block;
  return "time" in from && "time" in to && from.time > to.time;
}
