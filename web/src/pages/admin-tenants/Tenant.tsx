import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Select, TextArea, TextField } from "../../ui/Field";
import { Menu, type MenuItem } from "../../ui/Menu";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Id, Name, Time } from "../../ui/values";
import { Actor } from "../admin/actors";
import { Invitations } from "../app-team/Invitations";
import { Invite } from "../app-team/Invite";
import { tiers, types } from "./CreateTenant";
import { Domains } from "./Domains";
import { Ending } from "./Ending";
import { HealthCard } from "./Health";
import { Holds } from "./Holds";
import { listed, onboarding, tenant } from "./queries";
import { Steps } from "./Steps";

const t = strings.tenants;

type Tenant = Schemas["Tenant"];
type Asked = "edit" | "suspend" | "activate" | "offboard";

/** One tenant: who it is, its onboarding, its people as metadata, and its end. */
export function TenantPage() {
  const { id } = useParams({ from: "/admin/tenants/$id" });
  const query = useQuery(tenant(id));
  const x = query.data;
  const admin = isAdmin(useMe());
  const [asked, setAsked] = useState<Asked>();
  return (
    <Page
      title={x?.name ?? id}
      above={<Link to="/admin/tenants">{t.title}</Link>}
      actions={x && admin && <Actions of={x} ask={setAsked} />}
    >
      <Loaded query={query} lines={8}>
        {(x) => (
          <>
            <Shown of={x} admin={admin} />
            {asked === "edit" && <Edit of={x} onClose={() => setAsked(undefined)} />}
            <Acts of={x} asked={asked} onClose={() => setAsked(undefined)} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Actions({ of: x, ask }: { of: Tenant; ask: (what: Asked) => void }) {
  const menu: MenuItem[] = [
    ...(x.state === "active" ? [{ label: t.suspend, act: () => ask("suspend") }] : []),
    ...(x.state === "suspended" ? [{ label: t.activate, act: () => ask("activate") }] : []),
    ...(["active", "suspended"].includes(x.state) ? [{ label: t.offboard, danger: true, act: () => ask("offboard") }] : []),
  ];
  return (
    <>
      {menu.length > 0 && <Menu items={menu} />}
      <Button kind="primary" onClick={() => ask("edit")}>
        {t.edit}
      </Button>
    </>
  );
}

function Shown({ of: x, admin }: { of: Tenant; admin: boolean }) {
  const saga = useQuery(onboarding(x.id));
  return (
    <div className="columns">
      <div className="stack">
        <Ending of={x} admin={admin} />
        <HealthCard of={x} />
        <People of={x} admin={admin} />
        <Domains tenant={x.id} admin={admin && ["active", "suspended"].includes(x.state)} />
        <Holds tenant={x.id} admin={admin} />
        <Card title={t.saga.title} flush>
          <Loaded query={saga}>{(s) => <Steps of={s} />}</Loaded>
        </Card>
      </div>
      <div className="stack">
        <Card title={t.facts} aside={<Status state={x.state} />}>
          <Facts
            of={[
              ["ID", <Id key="i" of={x.id} />],
              [t.slug, <code key="s">{x.slug}</code>],
              [t.tier, x.tier],
              [t.type, x.type],
              [t.externalIds, <bdi key="e">{(x.external_ids ?? []).join(", ") || "–"}</bdi>],
              [t.ipAllow, (x.ip_allow ?? []).join(", ") || t.anywhere],
              [t.claimed, x.claimed_at ? <Time key="c" at={x.claimed_at} /> : t.notClaimed],
              [t.reason, x.state_reason && <bdi key="r">{x.state_reason}</bdi>],
              [t.created, <Time key="a" at={x.created_at} />],
              [t.createdBy, <Actor key="b" of={x.created_by} />],
              [t.modified, <Time key="m" at={x.modified_at} />],
            ]}
          />
        </Card>
        <Organisation id={x.organisation} admin={admin} />
        <Card title={t.more.title}>
          <div className="stack">
            <Sealed>{t.boundary}</Sealed>
            <ul className="stack">
              <li>
                <Link to={`/admin/submissions?filter=tenant:is:${x.slug}` as string}>{t.more.submissions}</Link>
              </li>
              <li>
                <Link to={`/admin/results?filter=tenant:is:${x.slug}` as string}>{t.more.results}</Link>
              </li>
              <li>
                <Link to={`/admin/audit?filter=tenant:is:${x.slug}` as string}>{t.more.audit}</Link>
              </li>
            </ul>
          </div>
        </Card>
      </div>
    </div>
  );
}

function Acts({ of: x, asked, onClose }: { of: Tenant; asked: Asked | undefined; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const navigate = useNavigate();
  const path = { params: { path: { id: x.id } } };
  const done = async (text: string) => {
    await queries.invalidateQueries({ queryKey: ["tenant"] });
    told(text);
  };
  return (
    <>
      <Confirm
        open={asked === "suspend"}
        onClose={onClose}
        title={t.suspendTitle(x.name)}
        verb={t.suspend}
        act={async () => {
          await call(api.POST("/api/v1/tenants/{id}/suspend", { ...path, body: { reason } }));
          await done(t.suspended);
        }}
      >
        <div className="stack">
          <p>{t.suspendText}</p>
          <TextField label={t.suspendReason} value={reason} onChange={setReason} optional maxLength={500} />
        </div>
      </Confirm>
      <Confirm
        open={asked === "activate"}
        onClose={onClose}
        title={t.activateTitle(x.name)}
        verb={t.activate}
        act={async () => {
          await call(api.POST("/api/v1/tenants/{id}/activate", path));
          await done(t.activated);
        }}
      >
        {t.activateText}
      </Confirm>
      <Confirm
        open={asked === "offboard"}
        onClose={onClose}
        title={t.offboardTitle(x.name)}
        verb={t.offboard}
        typed={x.slug}
        act={async () => {
          await call(api.POST("/api/v1/tenants/{id}/offboard", { ...path, body: { confirm: x.slug } }));
          await done(t.offboarded);
          await navigate({ to: "." });
        }}
      >
        {t.offboardText}
      </Confirm>
    </>
  );
}

function Edit({ of: x, onClose }: { of: Tenant; onClose: () => void }) {
  const [name, setName] = useState(x.name);
  const [tier, setTier] = useState(x.tier);
  const [type, setType] = useState(x.type);
  const [ids, setIds] = useState((x.external_ids ?? []).join(", "));
  const [ip, setIp] = useState((x.ip_allow ?? []).join(", "));
  const { busy, error, submit } = useSubmit(async () => {
    await call(
      api.PATCH("/api/v1/tenants/{id}", {
        params: { path: { id: x.id } },
        body: {
          name,
          tier: tier as (typeof tiers)[number],
          type: type as (typeof types)[number],
          external_ids: listed(ids),
          ip_allow: listed(ip),
        },
      }),
    );
    await queries.invalidateQueries({ queryKey: ["tenant"] });
    told(t.saved);
    onClose();
  });
  return (
    <Dialog open onClose={onClose} title={x.name} drawer>
      <form className="stack" onSubmit={submit}>
        <TextField label={t.name} value={name} onChange={setName} maxLength={200} required />
        <Select
          label={t.tier}
          hint={t.form.tierHint}
          value={tier}
          onChange={setTier}
          options={tiers.map((v) => ({ value: v, label: v }))}
        />
        <Select label={t.type} value={type} onChange={setType} options={types.map((v) => ({ value: v, label: v }))} />
        <TextField label={t.externalIds} hint={t.form.externalIdsHint} value={ids} onChange={setIds} optional />
        <TextField label={t.ipAllow} hint={t.form.ipHint} value={ip} onChange={setIp} optional />
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.save}
        </Button>
      </form>
    </Dialog>
  );
}

function Organisation({ id, admin }: { id: string; admin: boolean }) {
  const [asked, setAsked] = useState(false);
  const [evidence, setEvidence] = useState("");
  const query = useQuery({
    queryKey: ["tenant", "organisation", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/organisations/{id}", { signal, params: { path: { id } } })),
  });
  return (
    <Card title={t.org.title}>
      <Loaded query={query}>
        {(o) => (
          <div className="stack">
            <Facts
              of={[
                [t.name, <Name key="n" of={o.name} />],
                [t.state, <Status key="s" state={o.verified ? "verified" : "unverified"} />],
                [t.org.verified, o.verified_at && <Time key="v" at={o.verified_at} />],
                [t.org.by, o.verified_by && <Actor key="b" of={o.verified_by} />],
                [t.org.evidence, o.evidence && <bdi key="e">{o.evidence}</bdi>],
              ]}
            />
            {!o.verified && <Note tone="warn">{t.org.unverified}</Note>}
            {!o.verified && admin && (
              <div>
                <Button onClick={() => setAsked(true)}>{t.org.verify}</Button>
              </div>
            )}
            <Confirm
              open={asked}
              onClose={() => setAsked(false)}
              title={t.org.verifyTitle(o.name)}
              verb={t.org.verify}
              act={async () => {
                await call(api.POST("/api/v1/organisations/{id}/verify", { params: { path: { id } }, body: { evidence } }));
                await queries.invalidateQueries({ queryKey: ["tenant", "organisation", id] });
                told(t.org.done);
              }}
            >
              <TextArea label={t.org.evidence} hint={t.org.evidenceHint} value={evidence} onChange={setEvidence} />
            </Confirm>
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function People({ of: x, admin }: { of: Tenant; admin: boolean }) {
  const [adding, setAdding] = useState<"invited" | "typed">();
  const close = () => setAdding(undefined);
  const query = useQuery({
    queryKey: ["user", "of", x.id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, params: { query: { tenant: x.id, limit: 500 } } })),
  });
  const may = admin && !x.claimed_at && x.state === "active";
  return (
    <>
      <Card
        title={t.people.title}
        aside={
          may && (
            <span className="row">
              <Button onClick={() => setAdding("typed")}>{t.people.first}</Button>
              <Button onClick={() => setAdding("invited")}>{strings.team.invite}</Button>
            </span>
          )
        }
        flush
      >
        <Loaded query={query}>
          {(list) =>
            items(list).length === 0 ? (
              <p className="inset secondary">{t.people.none}</p>
            ) : (
              <PlainTable
                title={t.people.title}
                rows={items(list)}
                id={(u) => u.id}
                columns={[
                  { id: "login", title: strings.team.columns.login, cell: (u) => <code>{u.login}</code> },
                  { id: "email", title: strings.team.columns.email, cell: (u) => <Name of={u.email} /> },
                  { id: "role", title: strings.team.columns.role, cell: (u) => strings.team.roles[u.role] ?? u.role },
                  { id: "state", title: t.state, cell: (u) => <Status state={u.state} /> },
                  {
                    id: "signed",
                    title: strings.team.columns.signedIn,
                    cell: (u) => (u.signed_in_at ? <Time at={u.signed_in_at} /> : strings.team.never),
                  },
                ]}
              />
            )
          }
        </Loaded>
        {x.claimed_at && <p className="inset secondary">{t.people.claimedHint}</p>}
      </Card>
      <Invitations tenant={x.id} admin={may} />
      {adding === "invited" && (
        <Invite tenant={x.id} roles={strings.team.roles} first="tenant_admin" rolesHint={strings.team.rolesHint} onClose={close} />
      )}
      {adding === "typed" && <FirstAdmin tenant={x.id} onClose={close} />}
    </>
  );
}

function FirstAdmin({ tenant: id, onClose }: { tenant: string; onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.POST("/api/v1/users", { body: { tenant: id, email, role: "tenant_admin", password } }));
    await queries.invalidateQueries({ queryKey: ["user"] });
    told(t.people.made);
    onClose();
  });
  return (
    <Dialog open onClose={onClose} title={t.people.first}>
      <form className="stack" onSubmit={submit}>
        <TextField label={t.form.adminEmail} type="email" value={email} onChange={setEmail} autoComplete="off" required />
        <TextField
          label={t.form.adminPassword}
          hint={strings.team.passwordHint}
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="new-password"
          minLength={12}
          required
        />
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.people.first}
        </Button>
      </form>
    </Dialog>
  );
}
