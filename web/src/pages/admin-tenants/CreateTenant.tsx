import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { InvitationLink, invite } from "../app-team/Invite";
import { entrance } from "../login/entrance";
import { listed, onboarding, slugOf } from "./queries";
import { Steps } from "./Steps";

const t = strings.tenants;

export const tiers = ["basic", "standard", "premium", "platinum"] as const;
export const types = ["PRODUCTION", "POC", "TESTING"] as const;

/** Who was invited as a tenant's first admin, with the link to hand over where no mails go out. */
type First = { email: string; link: string | undefined };

/** Makes a tenant, and shows its steps as they are done. */
export function CreateTenant({ onClose }: { onClose: () => void }) {
  const [made, setMade] = useState<Schemas["Tenant"]>();
  const [first, setFirst] = useState<First>();
  return (
    <Dialog open onClose={onClose} title={made ? t.made(made.name) : t.create} drawer>
      {made ? (
        <Made of={made} first={first} />
      ) : (
        <Form
          made={(tenant, first) => {
            setFirst(first);
            setMade(tenant);
          }}
        />
      )}
    </Dialog>
  );
}

function Made({ of: tenant, first }: { of: Schemas["Tenant"]; first: First | undefined }) {
  const saga = useQuery(onboarding(tenant.id));
  return (
    <div className="stack">
      {saga.data && <Steps of={saga.data} />}
      <ProblemBox of={saga.error} />
      {first && (first.link ? <InvitationLink of={first.link} /> : <Note>{t.people.invited(first.email)}</Note>)}
      <div>
        <Link to="/admin/tenants/$id" params={{ id: tenant.id }} className={buttonClass("primary")}>
          {t.open}
        </Link>
      </div>
    </div>
  );
}

function Form({ made }: { made: (tenant: Schemas["Tenant"], first?: First) => void }) {
  const [name, setName] = useState("");
  const [slug, setSlug] = useState<string>(); // until it is typed, made of the name
  const [organisation, setOrganisation] = useState<string>();
  const [ids, setIds] = useState("");
  const [tier, setTier] = useState<string>("basic");
  const [type, setType] = useState<string>("PRODUCTION");
  const [email, setEmail] = useState("");
  const [how, setHow] = useState("invited");
  const [password, setPassword] = useState("");
  const mails = useQuery(entrance).data?.mail ?? true;
  const [done, setDone] = useState<Schemas["Tenant"]>();
  const { busy, error, submit } = useSubmit(async () => {
    const tenant =
      done ??
      (await call(
        api.POST("/api/v1/tenants", {
          body: {
            name,
            slug: slug ?? slugOf(name),
            organisation: organisation ?? name,
            external_ids: listed(ids),
            tier: tier as (typeof tiers)[number],
            type: type as (typeof types)[number],
          },
        }),
      ));
    setDone(tenant); // a second try makes the account alone
    const admin = { tenant: tenant.id, email, role: "tenant_admin" as const };
    const first = email && how === "invited" ? { email, link: await invite(admin) } : undefined;
    if (email && !first) await call(api.POST("/api/v1/users", { body: { ...admin, password } }));
    await queries.invalidateQueries({ queryKey: ["tenant"] });
    made(tenant, first);
  });
  const fixed = done !== undefined;
  return (
    <form className="stack" onSubmit={submit}>
      <TextField label={t.name} hint={t.form.nameHint} value={name} onChange={setName} maxLength={200} required disabled={fixed} />
      <TextField
        label={t.slug}
        hint={t.form.slugHint}
        value={slug ?? slugOf(name)}
        onChange={setSlug}
        pattern="[a-z][a-z0-9\-]{2,39}"
        required
        disabled={fixed}
      />
      <TextField
        label={t.organisation}
        hint={t.form.organisationHint}
        value={organisation ?? name}
        onChange={setOrganisation}
        required
        disabled={fixed}
      />
      <TextField label={t.externalIds} hint={t.form.externalIdsHint} value={ids} onChange={setIds} optional disabled={fixed} />
      <Select label={t.tier} hint={t.form.tierHint} value={tier} onChange={setTier} options={tiers.map((x) => ({ value: x, label: x }))} />
      <Select label={t.type} value={type} onChange={setType} options={types.map((x) => ({ value: x, label: x }))} />
      <TextField
        label={t.form.adminEmail}
        hint={t.form.adminEmailHint}
        type="email"
        value={email}
        onChange={setEmail}
        autoComplete="off"
        optional
      />
      {email && (
        <Select
          label={t.form.adminHow}
          value={how}
          onChange={setHow}
          options={[
            { value: "invited", label: mails ? t.form.adminMail : t.form.adminLink },
            { value: "typed", label: t.form.adminTyped },
          ]}
        />
      )}
      {email && how === "typed" && (
        <TextField
          label={t.form.adminPassword}
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="new-password"
          minLength={12}
          required
        />
      )}
      {fixed && <Note tone="ok">{t.made(done.name)}</Note>}
      <ProblemBox of={error} />
      <Button type="submit" kind="primary" busy={busy}>
        {t.form.submit}
      </Button>
    </form>
  );
}
