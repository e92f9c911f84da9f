import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Facts } from "../../ui/Card";
import { Id, Name, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import { Json } from "./Json";
import type { StreamEvent } from "./tail";

const t = strings.events.streams;

const named = (of: string | undefined) => (of ? <Name of={of} /> : undefined);

/** One event of a stream, whole. */
export function EventFacts({ of: e }: { of: StreamEvent }) {
  const staff = !useMe().tenant;
  return (
    <div className="stack">
      <Facts
        of={[
          [t.type, <Name key="t" of={e.type} />],
          [t.tenant, staff && (e.tenant ? <TenantLink key="n" id={e.tenant} /> : strings.events.provider)],
          [t.time, <Time key="h" at={e.time} exact />],
          [t.received, <Time key="r" at={e.received} exact />],
          [t.stated, e.stated && <Time key="s" at={e.stated} exact />],
          [t.source, <Id key="o" of={e.source} />],
          [t.origin, named(e.origin)],
          [t.channel, named(e.channel)],
          [t.subject, named(e.subject)],
          [t.user, named(e.user)],
          [t.anonymous, named(e.anonymous)],
          [t.session, named(e.session)],
          [t.device, named(e.device)],
          [t.flags, (e.flags ?? []).length > 0 && (e.flags ?? []).map((f) => t.flagNames[f] ?? f).join("; ")],
          [t.id, <Name key="i" of={e.id} />],
        ]}
      />
      <section className="stack tight">
        <h3>{t.json}</h3>
        <Json of={e} label={t.json} />
      </section>
    </div>
  );
}
