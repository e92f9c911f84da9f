import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { useList } from "../../ui/list";
import { Menu } from "../../ui/Menu";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { FactorDialog } from "../app-team/FactorDialog";
import { Invitations } from "../app-team/Invitations";
import { Invite } from "../app-team/Invite";
import { PasswordDialog } from "../app-team/PasswordDialog";
import { entrance } from "../login/entrance";
import { IdentityDialog } from "./IdentityDialog";

const t = strings.platform.people;

type User = Schemas["User"];
type Role = "system_admin" | "auditor" | "analyst";
type Asked = { what: "role" | "state" | "password" | "factor" | "identity"; user: User };

const nameOf = (u: User) => u.name || u.email;
const roles = Object.entries(t.roles).map(([value, label]) => ({ value, label }));
const states = ["active", "disabled"].map((value) => ({ value, label: strings.ui.status[value] ?? value }));
const changed = async () => {
  await queries.invalidateQueries({ queryKey: ["user"] });
  told(t.done);
};

/** The provider's own people. */
export function People() {
  const who = useMe();
  const admin = isAdmin(who);
  const [asked, setAsked] = useState<Asked>();
  const { create } = useSearch({ from: "/admin/people" });
  const add = useAddress();
  const issuer = useQuery(entrance).data?.oidc;
  const list = useList({
    name: "people",
    key: ["user"],
    command: ["user", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/users", { signal, params: { query } })),
  });
  const columns: Column<User>[] = [
    { id: "name", title: t.columns.name, sort: true, filter: "text", cell: (u) => <Name of={u.name} /> },
    { id: "email", title: t.columns.email, sort: true, filter: "text", cell: (u) => <Name of={u.email} /> },
    { id: "role", title: t.columns.role, filter: roles, cell: (u) => t.roles[u.role] ?? u.role },
    { id: "state", title: t.columns.state, filter: states, cell: (u) => <Status state={u.state} /> },
    { id: "signed_in_at", title: t.columns.signedIn, sort: true, cell: (u) => (u.signed_in_at ? <Time at={u.signed_in_at} /> : t.never) },
    { id: "login", title: t.columns.login, hidden: true, sort: true, filter: "text", cell: (u) => <code>{u.login}</code> },
    { id: "id", title: strings.exchanged.id, hidden: true, filter: "exact", cell: (u) => <Id of={u.id} /> },
    { id: "created_at", title: t.columns.created, sort: true, cell: (u) => <Time at={u.created_at} /> },
    {
      id: "acts",
      title: strings.ui.table.actions,
      value: null,
      cell: (u) =>
        u.id !== who.id && (
          <Menu
            label={`${strings.ui.table.actions}: ${nameOf(u)}`}
            items={[
              { label: t.changeRole, act: () => setAsked({ what: "role", user: u }) },
              ...(u.state === "invited"
                ? [] // who has not come yet has nothing to take away, and becomes active by coming
                : [
                    { label: t.reset, act: () => setAsked({ what: "password", user: u }) },
                    ...(u.second_factor
                      ? [{ label: strings.team.takeFactor, act: () => setAsked({ what: "factor" as const, user: u }) }]
                      : []),
                    ...(issuer ? [{ label: t.identity(issuer), act: () => setAsked({ what: "identity", user: u }) }] : []),
                    {
                      label: u.state === "active" ? t.deactivate : t.activate,
                      danger: u.state === "active",
                      act: () => setAsked({ what: "state", user: u }),
                    },
                  ]),
            ]}
          />
        ),
    },
  ];
  const close = () => setAsked(undefined);
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        admin && (
          <>
            <Button onClick={() => add({ create: "password" })}>{t.add}</Button>
            <Button kind="primary" onClick={() => add({ create: "yes" })}>
              {strings.team.invite}
            </Button>
          </>
        )
      }
    >
      <DataTable
        list={list}
        title={t.title}
        columns={columns.filter((c) => admin || c.id !== "acts")}
        id={(u) => u.id}
        empty={<Empty title={t.empty} />}
      />
      {admin && <Invitations roles={t.roles} />}
      {admin && create === "yes" && (
        <Invite roles={t.roles} first="auditor" rolesHint={t.rolesHint} onClose={() => add({ create: undefined })} />
      )}
      {admin && create === "password" && <NewPerson issuer={issuer} onClose={() => add({ create: undefined })} />}
      {asked?.what === "role" && <RoleDialog of={asked.user} onClose={close} />}
      {asked?.what === "password" && <PasswordDialog id={asked.user.id} name={nameOf(asked.user)} onClose={close} />}
      {asked?.what === "factor" && <FactorDialog of={asked.user} onClose={close} />}
      {asked?.what === "identity" && <IdentityDialog of={asked.user} onClose={close} />}
      {asked?.what === "state" && <StateDialog of={asked.user} onClose={close} />}
    </Page>
  );
}

function StateDialog({ of: u, onClose }: { of: User; onClose: () => void }) {
  const on = u.state === "active";
  return (
    <Confirm
      open
      onClose={onClose}
      title={on ? t.deactivateTitle(nameOf(u)) : t.activateTitle(nameOf(u))}
      verb={on ? t.deactivate : t.activate}
      act={async () => {
        await call(api.PATCH("/api/v1/users/{id}", { params: { path: { id: u.id } }, body: { state: on ? "disabled" : "active" } }));
        await changed();
      }}
    >
      {on ? t.deactivateText : t.activateText}
    </Confirm>
  );
}

function RoleDialog({ of: u, onClose }: { of: User; onClose: () => void }) {
  const [role, setRole] = useState(u.role);
  return (
    <Confirm
      open
      onClose={onClose}
      title={t.roleOf(nameOf(u))}
      verb={t.save}
      act={async () => {
        await call(api.PATCH("/api/v1/users/{id}", { params: { path: { id: u.id } }, body: { role: role as Role } }));
        await changed();
      }}
    >
      <Select label={t.role} hint={t.rolesHint} value={role} onChange={setRole} options={roles} />
    </Confirm>
  );
}

function NewPerson({ issuer, onClose }: { issuer: string | undefined; onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<string>("auditor");
  const [password, setPassword] = useState("");
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.POST("/api/v1/users", { body: { email, role: role as Role, ...(password && { password }), ...(name && { name }) } }));
    await changed();
    onClose();
  });
  return (
    <Dialog open onClose={onClose} title={t.add}>
      <form className="stack" onSubmit={submit}>
        <TextField label={t.email} type="email" value={email} onChange={setEmail} autoComplete="off" required />
        <TextField label={t.name} value={name} onChange={setName} autoComplete="off" maxLength={200} optional />
        <Select label={t.role} hint={t.rolesHint} value={role} onChange={setRole} options={roles} />
        <TextField
          label={t.password}
          hint={issuer ? `${t.passwordOptional(issuer)} ${t.passwordHint}` : t.passwordHint}
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="new-password"
          minLength={12}
          required={!issuer}
          optional={!!issuer}
        />
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.add}
        </Button>
      </form>
    </Dialog>
  );
}
