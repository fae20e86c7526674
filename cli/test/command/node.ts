import type { MarketFixture } from "../market-fixture.ts";
export function node(_: () => MarketFixture): void {}
