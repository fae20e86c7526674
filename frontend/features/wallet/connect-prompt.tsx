"use client";

import { type ReactNode, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Empty } from "../../ui/page.tsx";
import { ConnectList } from "./connect-list.tsx";

/** In place of what needs an account. */
export function ConnectPrompt({ title, children }: { title: string; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Empty
        title={title}
        action={
          <Button variant="primary" onClick={() => setOpen(true)}>
            Connect wallet
          </Button>
        }
      >
        {children}
      </Empty>
      <Dialog open={open} title="Connect a wallet" onClose={() => setOpen(false)}>
        <ConnectList />
      </Dialog>
    </>
  );
}
