import type { MarketFixture } from "../market-fixture.ts";
export function terminal(_: () => MarketFixture): void {}
