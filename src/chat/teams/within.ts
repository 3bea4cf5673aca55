/** Waiting, but not for ever. */

/** The value, or that it failed, or that it has not come yet; never rejects, and leaves no timer behind. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<{ readonly value: T } | 'failed' | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), 'late');
  });
  const settled = promise.then(
    (value) => ({ value }),
    () => 'failed' as const,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
