import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

/**
 * `connect-src` names no host: the RPC and the nodes' WebSocket addresses come from the network file and the chain, at run time.
 * `'unsafe-inline'` for scripts is what Next's streamed page data needs without a server-made nonce; nothing here renders HTML from data.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self' https: http: wss: ws:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const config: NextConfig = {
  reactStrictMode: true,
  poweredByHeader: false,
  // Types are a suite of their own (`tsc --project frontend`): a build for the demo need not wait for it.
  typescript: { ignoreBuildErrors: true },
  transpilePackages: ["@dekuper/protocol", "@dekuper/client"],
  turbopack: { root: fileURLToPath(new URL("..", import.meta.url)) },
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        { key: "Content-Security-Policy", value: contentSecurityPolicy },
        { key: "X-Content-Type-Options", value: "nosniff" },
        { key: "Referrer-Policy", value: "no-referrer" },
        { key: "Permissions-Policy", value: "camera=(), microphone=(), geolocation=(), payment=()" },
        { key: "Cross-Origin-Opener-Policy", value: "same-origin-allow-popups" },
      ],
    },
  ],
};

export default config;
