/**
 * What a consumer receives: one tar, age-encrypted as a whole. `manifest` is the manifest's bytes, `log` the run's log,
 * `skipped.txt` (where anything was left out) one line `<reason> <path>` each, and `output/` the files of the manifest.
 */
export const delivery = {
  manifest: "manifest",
  log: "log",
  skipped: "skipped.txt",
  outputFolder: "output/",
} as const;
