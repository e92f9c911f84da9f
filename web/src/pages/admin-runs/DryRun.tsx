import { useQuery } from "@tanstack/react-query";
import { api, call, items, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { bytes, number } from "../../ui/format";
import { Status } from "../../ui/Status";
import { Loaded } from "../../ui/states";
import { TenantLink } from "../admin/actors";

const t = strings.runs.plan;

/** What runs of some analyses for a date would come to, without running them. */
export function DryRun({ analyses, date }: { analyses: string[]; date: string }) {
  const query = useQuery({
    queryKey: ["run", "plan", analyses, date],
    staleTime: 0,
    queryFn: ({ signal }) => call(api.GET("/api/v1/runs/plan", { signal, params: { query: { analysis: analyses, date } } })),
  });
  return (
    <section className="stack" aria-label={t.title} aria-live="polite">
      <Loaded query={query} lines={4}>
        {(plans) => items(plans).map((p) => <Plan key={p.analysis} of={p} />)}
      </Loaded>
    </section>
  );
}

function Plan({ of }: { of: Schemas["RunPlan"] }) {
  const missing = of.missing ?? [];
  const participants = of.participants ?? [];
  return (
    <div className="stack tight">
      <h3 className="row">
        <bdi>{of.analysis}</bdi>
        <Status state={of.quorum_holds ? "ok" : "skipped"}>{of.quorum_holds ? t.enough : t.tooFew}</Status>
      </h3>
      <p>
        <bdi>{of.outcome}</bdi>
      </p>
      <p className="secondary">{t.reads(participants.length, of.organisations, of.quorum, number(of.rows), bytes(of.bytes))}</p>
      {participants.length > 0 && (
        <details>
          <summary>{t.participants(participants.length)}</summary>
          <ul className="row">
            {participants.map((p) => (
              <li key={p.tenant}>
                <TenantLink id={p.tenant} slug={p.tenant_slug} />
              </li>
            ))}
          </ul>
        </details>
      )}
      {missing.length > 0 && (
        <details open>
          <summary>{t.missing(missing.length)}</summary>
          <ul className="stack tight">
            {missing.map((m) => (
              <li key={`${m.tenant} ${m.dataset ?? ""}`}>
                <TenantLink id={m.tenant} slug={m.tenant_slug} />: <bdi>{m.reason}</bdi>
              </li>
            ))}
          </ul>
        </details>
      )}
      {(of.notes ?? []).map((n) => (
        <p key={n} className="secondary">
          <bdi>{n}</bdi>
        </p>
      ))}
    </div>
  );
}
