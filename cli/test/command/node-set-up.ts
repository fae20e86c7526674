import type { MarketFixture } from "../market-fixture.ts";
export function nodeSetUp(_: () => MarketFixture): void {}
