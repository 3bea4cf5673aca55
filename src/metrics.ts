/** Counters and timings in the format Prometheus reads. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from './access/ports.ts';

export interface MetricsRegistry extends Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** From a fast local answer to the longest deadline, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A removal is on time within seconds, and is late for as long as the directory is down. */
const BUCKETS_OF: Readonly<Record<string, number[]>> = {
  hallpass_removal_lateness_seconds: [1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
  hallpass_removal_step_seconds: [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
};

/** Of these the longest is told too: buckets say that somebody waited for an hour, not that it was fifty minutes. */
const LONGEST: ReadonlySet<string> = new Set(['hallpass_removal_step_seconds', 'hallpass_removal_lateness_seconds']);
/** For so long, more or less by a slot, the longest is remembered. */
const LONGEST_SLOTS = 12;
const LONGEST_SLOT_MS = 5 * 60_000;

const HELP: Readonly<Record<string, string>> = {
  hallpass_jobs_total: 'Jobs run, by lane and outcome.',
  hallpass_loop_troubles_total: 'Times the store could not be asked for due jobs.',
  hallpass_sweeps_total: 'Minute sweeps, by outcome.',
  hallpass_heartbeats_total: 'Heartbeats sent, by outcome.',
  hallpass_alerts_total: 'Alerts sent to the webhook, by outcome.',
  hallpass_directory_calls_total: 'Calls to a directory, by operation and outcome.',
  hallpass_directory_call_seconds: 'How long calls to a directory took.',
  hallpass_activities_total: 'Activities that came in, by source and what became of them.',
  hallpass_activity_lag_seconds: 'How long ago a source of activity was last read or heard of.',
  hallpass_activity_reads_total: 'Times a source of activity was read, by outcome.',
  hallpass_detection_errors_total: 'Times a detection rule could not be judged, by rule.',
  hallpass_findings_total: 'Findings opened, by rule.',
  hallpass_audit_sink_lag_events: 'Events of the trail that a sink has not been told yet.',
  hallpass_audit_tellings_failed_total: 'Times an anchor or a sink did not take what it was told.',
  hallpass_audit_checkpoints_total: 'Ends of the chain that were signed.',
  hallpass_webhooks_total: 'Events told to webhooks, by outcome.',
  hallpass_webhook_seconds: 'How long webhooks took to answer.',
  hallpass_api_calls_total: 'Calls of the API, by the status they were answered with.',
  hallpass_api_refused_credentials_total: 'Calls of the API whose credential does not hold, or came too often.',
  hallpass_removal_step_seconds: 'From when a removal was due to its decision, and to its acceptance by the directory.',
  hallpass_removal_step_seconds_longest: 'The longest of hallpass_removal_step_seconds in the last hour.',
  hallpass_removal_lateness_seconds_longest: 'The longest of hallpass_removal_lateness_seconds in the last hour.',
  hallpass_removal_lateness_seconds: 'From when a removal was due to its proof, by why the grant ended.',
};

export function createMetrics(): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const gauges = new Map<string, Gauge>();
  const longest = new Map<string, (labels: Readonly<Record<string, string>>, value: number) => void>();
  const help = (name: string) => HELP[name] ?? name.replaceAll('_', ' ');
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    // Made at first use, with the labels of that use: a name is always counted with the same ones.
    count(name, labels = {}, by = 1) {
      let counter = counters.get(name);
      if (counter === undefined) {
        counter = new Counter({ name, help: help(name), labelNames: Object.keys(labels), registers: [registry] });
        counters.set(name, counter);
      }
      counter.inc(labels, by);
    },
    gauge(name, value, labels = {}) {
      let gauge = gauges.get(name);
      if (gauge === undefined) {
        gauge = new Gauge({ name, help: help(name), labelNames: Object.keys(labels), registers: [registry] });
        gauges.set(name, gauge);
      }
      gauge.set(labels, value);
    },
    observe(name, value, labels = {}) {
      let histogram = histograms.get(name);
      if (histogram === undefined) {
        const labelNames = Object.keys(labels);
        histogram = new Histogram({
          name,
          help: help(name),
          labelNames,
          buckets: BUCKETS_OF[name] ?? BUCKETS,
          registers: [registry],
        });
        histograms.set(name, histogram);
      }
      histogram.observe(labels, value);
      if (!LONGEST.has(name)) return;
      const note = longest.get(name) ?? longestOf(registry, `${name}_longest`, Object.keys(labels));
      longest.set(name, note);
      note(labels, value);
    },
  };
}

/** A gauge of the longest in the last hour, by labels; 0 once there was none. */
function longestOf(
  registry: Registry,
  name: string,
  labelNames: string[],
): (labels: Readonly<Record<string, string>>, value: number) => void {
  const kept = new Map<string, { readonly labels: Readonly<Record<string, string>>; slots: Map<number, number> }>();
  const slotNow = () => Math.floor(performance.now() / LONGEST_SLOT_MS);
  new Gauge({
    name,
    help: HELP[name] ?? name.replaceAll('_', ' '),
    labelNames,
    registers: [registry],
    collect() {
      const oldest = slotNow() - LONGEST_SLOTS;
      for (const { labels, slots } of kept.values()) {
        for (const slot of slots.keys()) if (slot <= oldest) slots.delete(slot);
        this.set({ ...labels }, Math.max(0, ...slots.values()));
      }
    },
  });
  return (labels, value) => {
    const id = JSON.stringify(labels);
    const { slots } = kept.get(id) ?? kept.set(id, { labels, slots: new Map() }).get(id) ?? { slots: new Map() };
    const slot = slotNow();
    slots.set(slot, Math.max(value, slots.get(slot) ?? 0));
  };
}
