/**
 * Metrics of a role and their text form (Prometheus, text format 0.0.4). Pure: where they are shown is
 * `metrics_server.ts`'s, what they mean is the role's.
 */

/** Our choice: sets of label values of one metric; what comes after is counted under `other`. */
const MAX_SERIES = 500;

type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** Adds `by`, 1 when it is not given. */
  add(labels?: Labels, by?: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

/** One value of a metric that is read when it is shown. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** The metrics of one process. Names are given with their unit, as Prometheus wants: `noports_store_seconds`. */
export class Metrics {
  readonly #shown: (() => string)[] = [];

  /** A number that only grows. */
  counter(name: string, help: string): Counter {
    const series = new Map<string, number>();
    this.#shown.push(() => render(name, help, "counter", [...series]));
    return {
      add: (labels = {}, by = 1) => {
        const key = formatLabels(labels);
        const kept = series.has(key) || series.size < MAX_SERIES ? key : otherLabels(labels);
        series.set(kept, (series.get(kept) ?? 0) + by);
      },
    };
  }

  /** Numbers that are read when somebody asks; `collect` is quick. */
  gauge(name: string, help: string, collect: () => readonly Sample[]): void {
    this.#shown.push(() =>
      render(
        name,
        help,
        "gauge",
        collect().slice(0, MAX_SERIES).map(({ labels, value }) => [formatLabels(labels), value]),
      )
    );
  }

  /** How values are spread over `buckets`, which ascend. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const counts = new Array<number>(buckets.length).fill(0);
    let sum = 0;
    let total = 0;
    this.#shown.push(() => {
      let below = 0;
      const lines = buckets.map((limit, i) => {
        below += counts[i] ?? 0;
        return `${name}_bucket{le="${limit}"} ${below}\n`;
      });
      return `${heading(name, help, "histogram")}${lines.join("")}` +
        `${name}_bucket{le="+Inf"} ${total}\n${name}_sum ${sum}\n${name}_count ${total}\n`;
    });
    return {
      observe: (value) => {
        const at = buckets.findIndex((limit) => value <= limit);
        if (at !== -1) counts[at] = (counts[at] ?? 0) + 1;
        sum += value;
        total++;
      },
    };
  }

  /** Everything as text. */
  render(): string {
    return this.#shown.map((show) => show()).join("");
  }
}

function render(
  name: string,
  help: string,
  type: string,
  series: readonly (readonly [string, number])[],
): string {
  const lines = series.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return heading(name, help, type) + lines.join("");
}

function heading(name: string, help: string, type: string): string {
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`;
}

function formatLabels(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const text = value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
    return `${name}="${text}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function otherLabels(labels: Labels): string {
  return formatLabels(Object.fromEntries(Object.keys(labels).map((name) => [name, "other"])));
}
