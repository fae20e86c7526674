import type { ReactNode } from "react";
import styles from "./page.module.css";

/** A page's title, its one-line purpose and its main action. */
export function PageHeader(props: { title: string; lead?: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.header}>
      <div className={styles.headings}>
        <h1>{props.title}</h1>
        {props.lead !== undefined && <p className={styles.lead}>{props.lead}</p>}
      </div>
      {props.action}
    </div>
  );
}

/** A titled block of a page. */
export function Section(props: { title: string; aside?: ReactNode; children: ReactNode; id?: string }) {
  const id = props.id ?? props.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return (
    <section className={styles.section} aria-labelledby={id}>
      <div className={styles.sectionHead}>
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </div>
      {props.children}
    </section>
  );
}

/** A surface. */
export function Card(props: { children: ReactNode; padded?: boolean; className?: string | undefined }) {
  return (
    <div className={`${styles.card} ${props.className ?? ""}`} data-padded={props.padded ?? true}>
      {props.children}
    </div>
  );
}

/** What a list shows before it has anything, and what to do about it. */
export function Empty(props: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.emptyTitle}>{props.title}</p>
      <p className={styles.emptyText}>{props.children}</p>
      {props.action}
    </div>
  );
}

/** A grey block in place of text that is being read. */
export function Skeleton({ width = "100%", height = "1em" }: { width?: string; height?: string }) {
  return <span className={styles.skeleton} style={{ width, height }} aria-hidden="true" />;
}
