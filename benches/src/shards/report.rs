//! [`Report`], what the simulation came to: tables to read, and every figure as JSON.

use crate::balance::{Case, MILESTONES, Names, Plan, Sizes, ratio};
use crate::draws::{float, whole};
use crate::lists::{Fanout, Times, Walk};
use crate::placement::{Limits, Load, Objects, fewest};
use crate::routing::COUNTS;
use connectory_benches::apart;
use serde_json::{Value, json};
use std::fmt::Write;

/// The numbers of shards in tables; the others are in the figures.
const SHOWN: [usize; 5] = [1, 4, 16, 64, 256];
/// Creates a second for which the fewest shards are told.
const CREATES: [f64; 6] = [100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0];

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) arguments: Value,
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) limits: Limits,
    pub(crate) load: Load,
    /// From so many connections on a project has shards.
    pub(crate) large: f64,
    pub(crate) rows_per_item: f64,
    pub(crate) cases: &'a [Case],
    pub(crate) objects: &'a [Objects],
    pub(crate) fanouts: &'a [Fanout],
    pub(crate) walks: &'a [Walk],
}

/// A table in Markdown; the first column is a name, the others are figures.
struct Table(String);

impl Table {
    fn new(title: &str, columns: &[String]) -> Self {
        let mut text = format!("\n{title}\n\n|");
        for column in columns {
            let _ = write!(text, " {column} |");
        }
        text.push_str("\n| --- |");
        text.push_str(&" ---: |".repeat(columns.len().saturating_sub(1)));
        Self(text + "\n")
    }

    fn row(&mut self, cells: &[String]) {
        self.0.push('|');
        for cell in cells {
            let _ = write!(self.0, " {cell} |");
        }
        self.0.push('\n');
    }
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// In millions.
fn millions(connections: u64) -> String {
    format!("{:.2}", float(connections) / 1e6)
}

fn or_more(shards: Option<usize>) -> String {
    shards.map_or_else(|| "> 256".into(), |shards| shards.to_string())
}

impl Report<'_> {
    /// The cases of these sizes; all kinds of names.
    pub(crate) fn of_sizes(&self, sizes: Sizes) -> Vec<&Case> {
        self.cases.iter().filter(|case| case.sizes == sizes).collect()
    }

    /// Gigabytes of so many connections.
    pub(crate) fn gigabytes(&self, connections: u64) -> f64 {
        float(connections) * self.limits.connection_bytes / 1e9
    }

    /// The most connections of which no shard is full, in the worst case of these; and whether that was seen, or is
    /// estimated from the balance at the end, as no shard was full by then.
    fn capacity_of(&self, cases: &[&Case], count: usize) -> (f64, bool) {
        let even = float(self.plan.shard_holds) * float(COUNTS[count] as u64);
        let at = |case: &&Case| {
            let estimate = (even / case.ratio(COUNTS[count]), false);
            case.held[count].map_or(estimate, |connections| (float(connections), true))
        };
        let all = cases.iter().map(at);
        all.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, false))
    }

    pub(crate) fn tables(&self) -> String {
        let mut text = format!("Seed {}.\n", self.seed);
        for sizes in Sizes::ALL {
            text.push_str(&self.balance(sizes));
        }
        text.push_str(&self.milestones());
        text.push_str(&self.capacity());
        text.push_str(&self.load_of_objects());
        text.push_str(&self.fewest_of_sizes());
        text.push_str(&self.fewest_of_creates());
        text.push_str(&self.latencies());
        text.push_str(&self.pages());
        text
    }

    fn balance(&self, sizes: Sizes) -> String {
        let cases = self.of_sizes(sizes);
        let profiles = cases.iter().map(|case| case.profiles).max().unwrap_or_default();
        let title = format!(
            "**Balance, {}**: {} profiles; millions of connections on a shard with names like {}, \
             and the fullest over the mean.",
            sizes.label(),
            apart(float(profiles)),
            Names::Counted.label(),
        );
        let mut head = columns(&["shards", "emptiest", "median", "fullest", "fullest, GB"]);
        head.extend(cases.iter().map(|case| format!("{}, ratio", case.names.label())));
        let mut table = Table::new(&title, &head);
        for shards in SHOWN {
            let Some(case) = cases.iter().find(|case| case.names == Names::Counted) else {
                continue;
            };
            let [emptiest, median, fullest] = case.spread.range(shards);
            let mut cells = vec![shards.to_string()];
            cells.extend([emptiest, median, fullest].map(millions));
            cells.push(format!("{:.2}", self.gigabytes(fullest)));
            cells.extend(cases.iter().map(|case| format!("{:.4}", case.ratio(shards))));
            table.row(&cells);
        }
        table.0
    }

    fn milestones(&self) -> String {
        let mut head = columns(&["connections"]);
        head.extend(SHOWN.map(|shards| format!("N = {shards}")));
        let title =
            "**Balance of smaller projects, heavy tail**: fullest over mean, worst of all names.";
        let mut table = Table::new(title, &head);
        for (n, milestone) in MILESTONES.into_iter().enumerate() {
            let cases = self.of_sizes(Sizes::HeavyTail);
            let at: Vec<_> = cases.iter().filter_map(|case| case.milestones.get(n)).collect();
            if at.is_empty() {
                continue;
            }
            let mut cells = vec![apart(float(milestone))];
            cells.extend(SHOWN.map(|shards| {
                let ratios = at.iter().map(|(_, spread)| ratio(spread, shards));
                format!("{:.2}", ratios.fold(1.0, f64::max))
            }));
            table.row(&cells);
        }
        table.0
    }

    fn capacity(&self) -> String {
        let title = format!(
            "**Capacity**: the most millions of connections with no shard over {} GB, worst of all names; ~ is \
             estimated from the balance at {}.",
            self.limits.bytes / 1e9,
            apart(float(self.plan.connections)),
        );
        let mut head = columns(&["shards"]);
        head.extend(Sizes::ALL.map(|sizes| sizes.label().to_string()));
        let mut table = Table::new(&title, &head);
        for (n, shards) in COUNTS.into_iter().enumerate() {
            let mut cells = vec![shards.to_string()];
            cells.extend(Sizes::ALL.map(|sizes| {
                let (connections, is_seen) = self.capacity_of(&self.of_sizes(sizes), n);
                let mark = if is_seen { "" } else { "~" };
                format!("{mark}{}", apart((connections / 1e6).floor()))
            }));
            table.row(&cells);
        }
        table.0
    }

    fn load_of_objects(&self) -> String {
        let [low, high] = self.limits.writes;
        let title = format!(
            "**Objects of all projects** over {low:.0} and {high:.0} creates a second; projects from {} connections on \
             have shards.",
            apart(self.large),
        );
        let mut table = Table::new(
            &title,
            &[
                "shards".into(),
                "objects".into(),
                format!("average > {low:.0}"),
                format!("average > {high:.0}"),
                format!("burst > {low:.0}"),
                format!("burst > {high:.0}"),
                "too many bytes".into(),
                "busiest, creates/s".into(),
            ],
        );
        for it in self.objects {
            let [low, high] = it.over;
            let [burst_low, burst_high] = it.over_in_burst;
            let mut cells = vec![it.shards.to_string()];
            let counts = [it.number, low, high, burst_low, burst_high, it.over_bytes];
            cells.extend(counts.map(|count| apart(float(count))));
            cells.push(apart(it.busiest));
            table.row(&cells);
        }
        table.0
    }

    /// The fewest shards of a project: by bytes, then for creates on average and in the burst within each guideline.
    fn fewest_of(&self, connections: f64) -> [Option<usize>; 5] {
        let cases = self.of_sizes(Sizes::HeavyTail);
        let fewest = |amount, most| fewest(&cases, connections, amount, most);
        let ([low, high], load) = (self.limits.writes, &self.load);
        [
            fewest(connections * self.limits.connection_bytes, self.limits.bytes),
            fewest(load.average(connections), low),
            fewest(load.average(connections), high),
            fewest(load.burst(connections), low),
            fewest(load.burst(connections), high),
        ]
    }

    fn fewest_of_sizes(&self) -> String {
        let [low, high] = self.limits.writes;
        let title = format!(
            "**Fewest shards of a project**, heavy tail, with {} creates for each connection and day, of which {:.0} % \
             come within {} h.",
            self.load.creates_per_day,
            self.load.burst_share * 100.0,
            self.load.burst_hours,
        );
        let mut table = Table::new(
            &title,
            &[
                "connections".into(),
                "average, creates/s".into(),
                "burst, creates/s".into(),
                "by bytes".into(),
                format!("average, {low:.0}/s"),
                format!("average, {high:.0}/s"),
                format!("burst, {low:.0}/s"),
                format!("burst, {high:.0}/s"),
            ],
        );
        for connections in MILESTONES.map(float) {
            let mut cells = vec![apart(connections)];
            let rates = [self.load.average(connections), self.load.burst(connections)];
            cells.extend(rates.map(|rate| format!("{rate:.1}")));
            cells.extend(self.fewest_of(connections).map(or_more));
            table.row(&cells);
        }
        table.0
    }

    fn fewest_of_creates(&self) -> String {
        let [low, _] = self.limits.writes;
        let title = format!(
            "**Fewest shards by connections and creates**: geometric / heavy tail, at most {low:.0} creates a second on \
             a shard."
        );
        let mut head = columns(&["connections"]);
        head.extend(CREATES.map(|creates| format!("{} creates/s", apart(creates))));
        let mut table = Table::new(&title, &head);
        for connections in MILESTONES.map(float) {
            let mut cells = vec![apart(connections)];
            cells.extend(CREATES.map(|creates| {
                let fewest = |sizes| or_more(self.fewest_for(sizes, connections, creates));
                format!("{} / {}", fewest(Sizes::Geometric), fewest(Sizes::HeavyTail))
            }));
            table.row(&cells);
        }
        table.0
    }

    /// The fewest shards that have room for the connections and bear the creates.
    fn fewest_for(&self, sizes: Sizes, connections: f64, creates: f64) -> Option<usize> {
        let cases = self.of_sizes(sizes);
        let bytes = connections * self.limits.connection_bytes;
        let by_bytes = fewest(&cases, connections, bytes, self.limits.bytes)?;
        let by_creates = fewest(&cases, connections, creates, self.limits.writes[0])?;
        Some(by_bytes.max(by_creates))
    }

    fn latencies(&self) -> String {
        let title = "**An unfiltered list**: milliseconds until the slowest shard has answered.";
        let head = ["shards", "p50", "p99", "mean", "all warm, p50", "all warm, p99"];
        let mut table = Table::new(title, &columns(&head));
        for it in self.fanouts {
            let figures = [it.times.p50, it.times.p99, it.times.mean, it.warm.p50, it.warm.p99];
            let mut cells = vec![it.shards.to_string()];
            cells.extend(figures.map(|ms| format!("{ms:.1}")));
            table.row(&cells);
        }
        table.0
    }

    fn pages(&self) -> String {
        let title = format!(
            "**What a page costs**, and a walk over {} connections one page after the other.",
            apart(float(self.plan.connections)),
        );
        let head = [
            "shards",
            "requests, a page",
            "items read, a page",
            "rows read, a page",
            "pages, a walk",
            "million requests, a walk",
            "million items, a walk",
            "hours, a walk",
        ];
        let mut table = Table::new(&title, &columns(&head));
        for (walk, fanout) in self.walks.iter().zip(self.fanouts) {
            table.row(&[
                walk.shards.to_string(),
                walk.requests.to_string(),
                apart(float(walk.items)),
                apart(float(walk.items) * self.rows_per_item),
                apart(float(walk.pages)),
                apart(float(walk.all_requests()) / 1e6),
                apart(float(walk.all_items()) / 1e6),
                apart(float(walk.hours(fanout.times.mean))),
            ]);
        }
        table.0
    }

    pub(crate) fn json(&self) -> Value {
        let fewest_of = MILESTONES.map(|connections| {
            let [bytes, average_low, average_high, burst_low, burst_high] =
                self.fewest_of(float(connections));
            let by_creates = CREATES.map(|creates| {
                let fewest = |sizes| self.fewest_for(sizes, float(connections), creates);
                json!({
                    "creates_a_second": creates,
                    "geometric": fewest(Sizes::Geometric),
                    "heavy_tail": fewest(Sizes::HeavyTail),
                })
            });
            json!({
                "connections": connections,
                "by_bytes": bytes,
                "average": [average_low, average_high],
                "burst": [burst_low, burst_high],
                "by_bytes_and_creates": by_creates,
            })
        });
        let capacity = Sizes::ALL.map(|sizes| {
            let cases = self.of_sizes(sizes);
            let counts = (0..COUNTS.len()).map(|n| {
                let (connections, is_seen) = self.capacity_of(&cases, n);
                json!({ "shards": COUNTS[n], "connections": whole(connections), "estimated": !is_seen })
            });
            json!({ "sizes": sizes.label(), "counts": counts.collect::<Vec<_>>() })
        });
        json!({
            "arguments": self.arguments,
            "balance": self.cases.iter().map(|case| self.case(case)).collect::<Vec<_>>(),
            "capacity": capacity,
            "objects": self.objects.iter().map(objects).collect::<Vec<_>>(),
            "fewest": fewest_of,
            "lists": self.fanouts.iter().zip(self.walks).map(list).collect::<Vec<_>>(),
        })
    }

    fn case(&self, case: &Case) -> Value {
        let counts = COUNTS.map(|shards| {
            let [emptiest, median, fullest] = case.spread.range(shards);
            json!({
                "shards": shards,
                "emptiest": emptiest,
                "median": median,
                "fullest": fullest,
                "fullest_over_mean": case.ratio(shards),
                "fullest_gb": self.gigabytes(fullest),
            })
        });
        let milestones = case.milestones.iter().map(|(connections, spread)| {
            let ratios = COUNTS.map(|shards| ratio(spread, shards));
            json!({ "connections": connections, "fullest_over_mean": ratios })
        });
        json!({
            "names": case.names.label(),
            "sizes": case.sizes.label(),
            "profiles": case.profiles,
            "connections": case.total,
            "counts": counts,
            "milestones": milestones.collect::<Vec<_>>(),
        })
    }
}

fn objects(it: &Objects) -> Value {
    json!({
        "shards": it.shards,
        "objects": it.number,
        "over_on_average": it.over,
        "over_in_burst": it.over_in_burst,
        "over_bytes": it.over_bytes,
        "busiest_creates_a_second": it.busiest,
    })
}

fn list((fanout, walk): (&Fanout, &Walk)) -> Value {
    let times = |it: &Times| json!({ "mean_ms": it.mean, "p50_ms": it.p50, "p99_ms": it.p99 });
    json!({
        "shards": fanout.shards,
        "times": times(&fanout.times),
        "all_warm": times(&fanout.warm),
        "requests_a_page": walk.requests,
        "items_a_page": walk.items,
        "pages": walk.pages,
        "requests_a_walk": walk.all_requests(),
        "items_a_walk": walk.all_items(),
        "hours_a_walk": walk.hours(fanout.times.mean),
    })
}
