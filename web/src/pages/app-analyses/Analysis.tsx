import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { Page } from "../../ui/Page";
import { Note, ProblemBox, Skeleton } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import style from "./Analysis.module.css";
import { Decision, widened } from "./Decision";

const t = strings.participation;

const warning = "Warning: ";

type Act = "accept" | "decline" | "leave";

// What is asked, of the version that was read when the dialog opened.
type Asked = { act: Act; of: Schemas["Analysis"] };

/** One analysis: what it uses, who gets what and by which rules, and the decision. */
export function Analysis() {
  const { id } = useParams({ from: "/app/analyses/$id" });
  const { version } = useSearch({ from: "/app/analyses/$id" });
  const query = useQuery({ queryKey: ["analysis", id], queryFn: ({ signal }) => fetched(id, undefined, signal) });
  const earlier = useQuery({
    queryKey: ["analysis", id, version],
    enabled: version !== undefined,
    queryFn: ({ signal }) => fetched(id, version, signal),
  });
  const [asked, setAsked] = useState<Asked>();
  const admin = isAdmin(useMe());
  const current = query.data;
  const shown = version === undefined || version === current?.version ? current : earlier.data;
  const above = <Link to="/app/analyses">{t.title}</Link>;
  if (!current || !shown) {
    const error = query.error ?? earlier.error;
    return (
      <Page title={id} above={above}>
        {error ? <ProblemBox of={error} again={() => void (query.error ? query : earlier).refetch()} /> : <Skeleton lines={8} />}
      </Page>
    );
  }
  const isCurrent = shown.version === current.version;
  const name = current.title || current.id;
  return (
    <Page
      title={name}
      above={above}
      lead={current.description && <bdi>{current.description}</bdi>}
      actions={admin && isCurrent && <Actions analysis={current} act={(act) => setAsked({ act, of: current })} />}
    >
      <ProblemBox of={query.error} again={() => query.refetch()} />
      {!admin && <Note>{t.notAdmin}</Note>}
      {!isCurrent && (
        <Note tone="warn">
          {t.old}{" "}
          <Link to="/app/analyses/$id" params={{ id }} search={{}}>
            {t.toCurrent}
          </Link>
        </Note>
      )}
      {widened(shown) && <Widened of={shown} />}
      <div className="columns">
        <Words of={shown} />
        <div className="stack">
          <Short of={shown} current={current} />
          <Versions of={shown} current={current.version} id={id} />
        </div>
      </div>
      {asked && <Ask asked={asked} current={current.version} onClose={() => setAsked(undefined)} />}
    </Page>
  );
}

function fetched(id: string, version: number | undefined, signal: AbortSignal) {
  return call(api.GET("/api/v1/analyses/{id}", { signal, params: { path: { id }, query: version ? { version } : {} } }));
}

function Actions({ analysis, act }: { analysis: Schemas["Analysis"]; act: (act: Act) => void }) {
  if (analysis.decision === "accepted") return <Button onClick={() => act("leave")}>{t.leave}</Button>;
  return (
    <>
      {widened(analysis) ? (
        <Button onClick={() => act("leave")}>{t.leave}</Button>
      ) : (
        analysis.decision !== "declined" && <Button onClick={() => act("decline")}>{t.decline}</Button>
      )}
      <Button kind="primary" onClick={() => act("accept")}>
        {widened(analysis) ? t.acceptAgain : t.accept}
      </Button>
    </>
  );
}

function Widened({ of }: { of: Schemas["Analysis"] }) {
  return (
    <Note tone="warn">
      {t.widened(of.decided_for ?? 0)}
      <ul className={style.list}>
        {of.widened?.map((w) => (
          <li key={w}>
            <bdi>{w}</bdi>
          </li>
        ))}
      </ul>
    </Note>
  );
}

function Words({ of }: { of: Schemas["Analysis"] }) {
  const words = of.words ?? [];
  const warnings = words.filter((w) => w.startsWith(warning));
  return (
    <Card title={of.decision === "accepted" ? t.inWordsAccepted : t.inWords}>
      <div className="stack">
        <ul className={style.list}>
          {words
            .filter((w) => !w.startsWith(warning))
            .map((w) => (
              <li key={w}>
                <bdi>{w}</bdi>
              </li>
            ))}
        </ul>
        {warnings.map((w) => (
          <Note key={w} tone="warn">
            <strong>{t.warning}:</strong> <bdi>{sentence(w.slice(warning.length))}</bdi>
          </Note>
        ))}
      </div>
    </Card>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Short({ of, current }: { of: Schemas["Analysis"]; current: Schemas["Analysis"] }) {
  return (
    <Card title={t.facts}>
      <Facts
        of={[
          [
            t.decided,
            <span key="decision" className="row">
              <Decision of={current} />
              {current.decided_for && <span className="secondary">{t.decidedFor(current.decided_for)}</span>}
            </span>,
          ],
          [t.acceptedBy, current.organisations && t.organisationCount(current.organisations.accepted, current.organisations.verified)],
          [t.datasets, <Name key="datasets" of={(of.datasets ?? []).join(", ")} />],
        ]}
      />
    </Card>
  );
}

function Versions({ of, current, id }: { of: Schemas["Analysis"]; current: number; id: string }) {
  // Versions count from 1; the last ones, the newest first.
  const all = Array.from({ length: Math.min(current, 20) }, (_, n) => current - n);
  return (
    <Card title={t.versions}>
      <ul className={style.versions}>
        {all.map((n) => (
          <li key={n}>
            {n === of.version ? (
              <span>
                <strong>{t.versionOf(n, n === current)}</strong>{" "}
                <span className="secondary">
                  {t.applied} <Time at={of.created_at} />
                </span>
              </span>
            ) : (
              <Link to="/app/analyses/$id" params={{ id }} search={n === current ? {} : { version: n }}>
                {t.versionOf(n, n === current)}
              </Link>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

// What each act asks, does and says.
const asks = {
  accept: { title: t.acceptTitle, verb: t.accept, said: t.done.accepted },
  decline: { title: t.declineTitle, verb: t.decline, said: t.done.declined },
  leave: { title: t.leaveTitle, verb: t.leave, said: t.done.left },
};

function Ask({ asked: { act, of }, current, onClose }: { asked: Asked; current: number; onClose: () => void }) {
  const asked = asks[act];
  const texts = act === "accept" ? t.acceptText((of.datasets ?? []).join(", ")) : act === "leave" ? t.leaveText : t.declineText;
  const newer = current !== of.version;
  const decide = async () => {
    const request = { params: { path: { id: of.id } }, body: { version: of.version } };
    await call<Schemas["Acceptance"]>(
      act === "accept" ? api.POST("/api/v1/analyses/{id}/accept", request) : api.POST("/api/v1/analyses/{id}/decline", request),
    );
    await queries.invalidateQueries({ queryKey: ["analysis"] });
    told(asked.said);
  };
  return (
    <Confirm
      open
      onClose={onClose}
      title={asked.title(of.title || of.id)}
      verb={asked.verb}
      act={decide}
      disabled={newer && act !== "leave"}
    >
      <div className="stack">
        <p>{t.forVersion(of.version)}</p>
        {texts.map((text) => (
          <p key={text}>{text}</p>
        ))}
        {newer && <Note tone="warn">{t.newer(current)}</Note>}
      </div>
    </Confirm>
  );
}
