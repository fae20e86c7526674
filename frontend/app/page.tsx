import { NetworkMap } from "../features/map/network-map.tsx";

export default function OverviewPage() {
  return <NetworkMap />;
}
