import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import "./globals.css";
import { MarketProvider } from "../features/market/market-provider.tsx";
import { NetworkProvider } from "../features/network/network-provider.tsx";
import { PeerProvider } from "../features/peers/peer-provider.tsx";
import { AppShell } from "../features/shell/app-shell.tsx";

export const metadata: Metadata = {
  title: { default: "Dekuper", template: "%s · Dekuper" },
  description: "An open market of GPU clusters for AI training.",
  icons: { icon: "/icon.svg" },
};

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f7f7f5" },
    { media: "(prefers-color-scheme: dark)", color: "#0d0e10" },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script src="/theme.js" />
      </head>
      <body>
        <NetworkProvider>
          <MarketProvider>
            <PeerProvider>
              <AppShell>{children}</AppShell>
            </PeerProvider>
          </MarketProvider>
        </NetworkProvider>
      </body>
    </html>
  );
}
