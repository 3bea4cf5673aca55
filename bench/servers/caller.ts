/** The baseline of `respond`: the same calls to the vendors, one after the other, and nothing else. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

process.on('message', (message: unknown) => {
  void play((message as { calls: readonly Call[] }).calls).then((ms) => process.send?.({ ms }));
});

async function play(calls: readonly Call[]): Promise<number> {
  const startedAt = performance.now();
  for (const { url, ...call } of calls) {
    const response = await fetch(url, call);
    await response.arrayBuffer();
    if (response.status >= 400 && response.status !== 404) throw new Error(`${call.method} ${url}: ${response.status}`);
  }
  return performance.now() - startedAt;
}

process.once('disconnect', () => process.exit(0));
process.send?.({});
