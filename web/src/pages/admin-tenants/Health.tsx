import { CircleAlert, CircleCheck, CircleDashed, CirclePause, TriangleAlert } from "lucide-react";
import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Card, Facts } from "../../ui/Card";
import { Status } from "../../ui/Status";
import { Bytes, Nothing, Num, Time } from "../../ui/values";
import { glance } from "./glance";

const t = strings.tenants.health;

const icons = { ok: CircleCheck, warn: TriangleAlert, bad: CircleAlert, info: CircleDashed, mute: CirclePause };

/** How a tenant is, in a word or two; what else there is to say on hover, and how much. */
export function HealthState({ of }: { of: Schemas["Tenant"] }) {
  const found = glance(of);
  if (!found) return <Nothing />;
  const { tone, words, more } = found;
  const Icon = icons[tone];
  return (
    <span className="row tight" title={more.length > 0 ? [words, ...more].join(", ") : undefined}>
      <Status state={tone} tone={tone} icon={<Icon size={14} aria-hidden />}>
        {words}
      </Status>
      {more.length > 0 && (
        <span className="secondary">
          <span aria-hidden>+{more.length}</span>
          <span className="visually-hidden">{more.join(", ")}</span>
        </span>
      )}
    </span>
  );
}

/** The figures behind it. */
export function HealthCard({ of: x }: { of: Schemas["Tenant"] }) {
  const h = x.health;
  if (!h || x.state === "erased") return null;
  const { more } = glance(x) ?? { more: [] };
  return (
    <Card title={t.title} aside={<HealthState of={x} />}>
      <div className="stack">
        {more.length > 0 && <p className="secondary">{t.also(more)}</p>}
        <Facts
          of={[
            [t.missing, <Num key="m" of={h.missing} />],
            [t.rejected, <Num key="r" of={h.rejected} />],
            [t.lastSubmission, h.last_submission ? <Time key="f" at={h.last_submission} /> : t.never],
            [t.lastSignIn, h.last_sign_in ? <Time key="s" at={h.last_sign_in} /> : t.never],
            [t.users, <Num key="u" of={h.users} />],
            [t.uploads, <Num key="o" of={h.open_uploads} />],
            [t.waiting, <Num key="w" of={h.results_waiting} />],
            [t.stored, <Bytes key="b" of={h.stored_bytes} />],
          ]}
        />
      </div>
    </Card>
  );
}
