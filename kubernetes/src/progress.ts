/** Told, line by line, what takes long. */
export type Progress = (line: string) => void;

/** For callers that want to hear nothing. */
export const silent: Progress = () => undefined;
