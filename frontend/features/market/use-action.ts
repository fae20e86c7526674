"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";

/** A call that changes something: reads everything again afterwards, and says how far it is. */
export function useAction<input = void, output = unknown>(
  run: (input: input) => Promise<output>,
  onDone?: (output: output) => void,
) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: async (output) => {
      await queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "network" });
      onDone?.(output);
    },
  });
}
