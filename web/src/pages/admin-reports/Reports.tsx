import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Select, TextField } from "../../ui/Field";
import { day, duration, number, zone } from "../../ui/format";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Loaded } from "../../ui/states";
import { TimeChart } from "../../ui/TimeChart";
import { Views } from "../../ui/Views";
import { Bytes, Name, Num, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import { useAddress } from "../admin/address";
import { RunButton } from "../admin-runs/RunButton";
import { byGroup, durations, lastDays, moments, perBucket, without } from "./figures";

const t = strings.reports;

type Each = "day" | "month";
type Range = { from: string; to: string; each: Each };

/** What a report's address says. */
export type ReportSearch = { from?: string; to?: string; each?: string; by?: string };

const ranges = [
  { days: 7, each: "day", label: t.days(7) },
  { days: 30, each: "day", label: t.days(30) },
  { days: 90, each: "day", label: t.days(90) },
  { days: 365, each: "month", label: t.year },
] as const;

export function Reports() {
  const search = useSearch({ strict: false }) as ReportSearch;
  const address = useAddress();
  const usual = lastDays(30, new Date());
  const from = search.from ?? usual.from;
  const to = search.to ?? usual.to;
  const each: Each = search.each === "month" ? "month" : "day";
  const range = useMemo(() => ({ from, to, each }), [from, to, each]);
  const zoom = (a: Date, b: Date) => address({ from: day(a), to: day(b), each: undefined });
  return (
    <Page title={t.title} lead={t.lead} actions={<RunButton />}>
      <Views
        label={t.range}
        views={ranges.map((r) => {
          const of = lastDays(r.days, new Date());
          return {
            label: r.label,
            current: of.from === from && of.to === to && r.each === each,
            search: { ...(search.by && { by: search.by }), ...of, ...(r.each === "month" && { each: r.each }) },
          };
        })}
      />
      <RangeForm key={`${from} ${to} ${each}`} range={range} change={address} />
      <Received range={range} by={search.by} zoom={zoom} />
      <Ran range={range} zoom={zoom} />
    </Page>
  );
}

function RangeForm({ range, change }: { range: Range; change: (to: Record<string, unknown>) => void }) {
  const [from, setFrom] = useState(range.from);
  const [to, setTo] = useState(range.to);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change({ from, to });
  };
  return (
    <form className="row filters narrow" onSubmit={submit}>
      <TextField label={t.from} value={from} onChange={setFrom} pattern="\d{4}-\d{2}-\d{2}" placeholder={t.dateHint} required />
      <TextField label={t.to} value={to} onChange={setTo} pattern="\d{4}-\d{2}-\d{2}" placeholder={t.dateHint} required />
      <Select
        label={t.each}
        value={range.each}
        onChange={(each) => change({ each: each === "month" ? each : undefined })}
        options={[
          { value: "day", label: t.eachDay },
          { value: "month", label: t.eachMonth },
        ]}
      />
      <Button type="submit">{t.show}</Button>
    </form>
  );
}

type Zoom = (from: Date, to: Date) => void;

function Received({ range, by, zoom }: { range: Range; by: string | undefined; zoom: Zoom }) {
  const address = useAddress();
  const group = by === "tenant" || by === "channel" ? by : "dataset";
  const query = useQuery({
    queryKey: ["submission", "report", range, group],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/reports/received", { signal, params: { query: { ...range, zone: zone(), by: group } } })),
  });
  return (
    <Card title={t.received}>
      <Loaded query={query} lines={8}>
        {(report) => (
          <div className="stack">
            <ReceivedChart report={report} zoom={zoom} />
            <AsOf of={report} />
            <div className="row filters narrow">
              <Select
                label={t.by}
                value={group}
                onChange={(b) => address({ by: b === "dataset" ? undefined : b })}
                options={[
                  { value: "dataset", label: t.byDataset },
                  { value: "tenant", label: t.byTenant },
                  { value: "channel", label: t.byChannel },
                ]}
              />
            </div>
            <ReceivedTable report={report} group={group} />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function ReceivedChart({ report, zoom }: { report: Schemas["ReceivedReport"]; zoom: Zoom }) {
  const chart = useMemo(() => {
    const n = (report.buckets ?? []).length;
    return {
      at: moments(report),
      series: [
        { name: t.files, values: perBucket(n, report.items, (x) => x.files), write: number },
        { name: t.rejected, values: perBucket(n, report.items, (x) => x.rejected), write: number },
      ],
    };
  }, [report]);
  return <TimeChart title={t.received} at={chart.at} series={chart.series} step="day" bars zoom={zoom} />;
}

function AsOf({ of }: { of: { from: string; to: string; zone: string; as_of: string } }) {
  const last = new Date(Date.parse(of.to) - 1);
  return (
    <p className="secondary">
      {t.asOf(day(new Date(of.from)), day(last), of.zone)} {t.as} <Time at={of.as_of} exact />.
    </p>
  );
}

function ReceivedTable({ report, group }: { report: Schemas["ReceivedReport"]; group: string }) {
  const rows = byGroup(report);
  if (rows.length === 0) return <p className="secondary">{t.receivedNone}</p>;
  const titles: Record<string, string> = { dataset: strings.exchanged.files.dataset, tenant: strings.exchanged.files.tenant };
  return (
    <PlainTable
      title={`${t.received}, ${group}`}
      rows={rows}
      id={(r) => r.group}
      columns={[
        {
          id: "group",
          title: titles[group] ?? strings.exchanged.files.channel,
          cell: (r) =>
            group === "tenant" ? (
              <TenantLink id={r.group} slug={r.slug} />
            ) : group === "dataset" ? (
              <Link to="/admin/datasets/$id" params={{ id: r.group }}>
                <Name of={r.group} />
              </Link>
            ) : (
              (strings.exchanged.files.channels[r.group] ?? r.group)
            ),
        },
        { id: "files", title: t.files, end: true, cell: (r) => <Num of={r.figures.files} /> },
        { id: "accepted", title: t.accepted, end: true, cell: (r) => <Num of={r.figures.accepted} /> },
        { id: "rejected", title: t.rejected, end: true, cell: (r) => <Num of={r.figures.rejected} /> },
        { id: "withdrawn", title: t.withdrawn, end: true, cell: (r) => <Num of={r.figures.withdrawn} /> },
        { id: "bytes", title: t.size, end: true, cell: (r) => <Bytes of={r.figures.bytes} /> },
      ]}
    />
  );
}

const seconds = (s: number) => duration(s * 1000);

function Ran({ range, zoom }: { range: Range; zoom: Zoom }) {
  const query = useQuery({
    queryKey: ["run", "report", range],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/reports/runs", { signal, params: { query: { ...range, zone: zone() } } })),
  });
  return (
    <Card title={t.runs}>
      <Loaded query={query} lines={8}>
        {(report) => (
          <div className="stack">
            <RunCharts report={report} zoom={zoom} />
            <AsOf of={report} />
            <RunTable report={report} />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function RunCharts({ report, zoom }: { report: Schemas["RunsReport"]; zoom: Zoom }) {
  const chart = useMemo(() => {
    const n = (report.buckets ?? []).length;
    return {
      at: moments(report),
      counts: [
        { name: t.runs, values: perBucket(n, report.items, (x) => x.runs), write: number },
        { name: t.without, values: perBucket(n, report.items, (x) => without(x.outcomes)), write: number },
      ],
      took: durations(report).map((s) => ({ ...s, write: seconds })),
    };
  }, [report]);
  return (
    <>
      <TimeChart title={t.runs} at={chart.at} series={chart.counts} step="day" bars zoom={zoom} />
      {chart.took.length > 0 && (
        <>
          <h3>{t.durations}</h3>
          <TimeChart title={t.durations} at={chart.at} series={chart.took} step="day" zoom={zoom} />
        </>
      )}
    </>
  );
}

function RunTable({ report }: { report: Schemas["RunsReport"] }) {
  const rows = report.totals ?? [];
  if (rows.length === 0) return <p className="secondary">{t.runsNone}</p>;
  return (
    <PlainTable
      title={`${t.runs}, ${t.analysis}`}
      rows={rows}
      id={(r) => r.analysis}
      columns={[
        {
          id: "analysis",
          title: t.analysis,
          cell: (r) => (
            <Link to="/admin/analyses/$id" params={{ id: r.analysis }}>
              <Name of={r.analysis} />
            </Link>
          ),
        },
        { id: "runs", title: t.runs, end: true, cell: (r) => <Num of={r.runs} /> },
        {
          id: "outcomes",
          title: t.outcomes,
          cell: (r) =>
            Object.entries(r.outcomes ?? {})
              .map(([state, n]) => t.outcome(n, strings.ui.status[state] ?? state))
              .join(", "),
        },
        { id: "p50", title: t.p50, end: true, cell: (r) => seconds(r.p50_seconds) },
        { id: "p95", title: t.p95, end: true, cell: (r) => seconds(r.p95_seconds) },
        { id: "max", title: t.max, end: true, cell: (r) => seconds(r.max_seconds) },
      ]}
    />
  );
}
