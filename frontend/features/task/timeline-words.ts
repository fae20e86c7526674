import type { TaskDetail, TimelineEvent } from "@dekuper/client";
import type { Address, Hex } from "viem";
import type { Token } from "../../ui/money.ts";
import { detailOf, type EventWriter, titleOf } from "./event-words.ts";
import { partTitle } from "./part-words.ts";

/** One transaction of a task with everything that it did to it. */
export interface TimelineStep {
  readonly hash: Hex;
  readonly block: bigint;
  readonly time: bigint;
  readonly from: Address;
  readonly gasUsed: bigint;
  readonly title: string;
  readonly details: readonly string[];
  /** Claims of progress that came before this one and say nothing more. */
  readonly earlier: number;
}

/** Events of one transaction become one step: its title from the task's own event, its details from all. */
export function stepsOf(
  detail: Pick<TaskDetail, "timeline" | "leases" | "ballot">,
  token: Token,
): TimelineStep[] {
  const { timeline, leases } = detail;
  const byHash = Map.groupBy(timeline, (event) => event.hash);
  const writer: EventWriter = {
    token,
    memberOf: (leaseId) => leases.find((lease) => lease.leaseId === leaseId)?.index,
    isAlone: leases.length === 1,
  };
  const steps: (TimelineStep & { readonly claim: number | undefined })[] = [];
  for (const events of byHash.values()) {
    const { main, title } = titleOf(events);
    const own = (member: number | undefined, text: string) =>
      member === undefined || writer.isAlone ? text : `${partTitle(detail)} ${member}: ${text}`;
    const details = events.flatMap((event) => {
      const detail = detailOf(event, writer);
      return detail === undefined ? [] : own(isOfAll(event) ? undefined : event.member, detail);
    });
    const { hash, block, time, from, gasUsed } = main;
    const titled = own(isOfAll(main) ? undefined : main.member, title);
    const claim = isClaim(events) ? main.member : undefined;
    const last = steps.at(-1);
    const earlier = claim !== undefined && last?.claim === claim ? last.earlier + 1 : 0;
    if (earlier > 0) steps.pop();
    steps.push({
      hash,
      block,
      time,
      from,
      gasUsed,
      title: titled,
      details: [...new Set(details)].filter((detail) => detail !== titled),
      earlier,
      claim,
    });
  }
  return steps.map(({ claim: _, ...step }) => step);
}

/** A run makes many of them: only the last of a row is shown. */
function isClaim(events: readonly TimelineEvent[]): boolean {
  return events.every(({ name }) => name === "CheckpointClaimed");
}

/** The lost member is named by the event's own words. */
function isOfAll({ name }: TimelineEvent): boolean {
  return name === "GangStopped";
}
