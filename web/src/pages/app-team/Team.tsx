import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Confirm } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Menu, type MenuItem } from "../../ui/Menu";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { ApiKeys } from "./ApiKeys";
import { Domains } from "./Domains";
import { FactorDialog } from "./FactorDialog";
import { Invitations } from "./Invitations";
import { Invite } from "./Invite";
import { NewPerson } from "./NewPerson";
import { PasswordDialog } from "./PasswordDialog";
import { SshKeys } from "./SshKeys";

const t = strings.team;

type User = Schemas["User"];
type Asked = { what: "role" | "state" | "password" | "factor" | "keys"; user: User };

/** A person's name, as far as there is one. */
const nameOf = (u: User) => u.name || u.email;

const columns: Column<User>[] = [
  { id: "name", title: t.columns.name, sort: true, filter: "text", cell: (u) => <Name of={u.name} /> },
  { id: "email", title: t.columns.email, sort: true, filter: "text", cell: (u) => <Name of={u.email} /> },
  { id: "login", title: t.columns.login, sort: true, filter: "text", cell: (u) => <code>{u.login}</code> },
  {
    id: "role",
    title: t.columns.role,
    filter: Object.entries(t.roles).map(([value, label]) => ({ value, label })),
    cell: (u) => t.roles[u.role] ?? u.role,
  },
  {
    id: "state",
    title: t.columns.state,
    filter: ["active", "disabled", "invited"].map((value) => ({ value, label: strings.ui.status[value] ?? value })),
    cell: (u) => (
      <span className="row">
        <Status state={u.state} />
        {u.provider_made && (
          <Status state="provider" tone="warn">
            {t.byProvider}
          </Status>
        )}
      </span>
    ),
  },
  {
    id: "second_factor",
    title: t.columns.factor,
    cell: (u) =>
      u.second_factor ? (
        <Status state="ok">{t.on}</Status>
      ) : (
        <Status state="off" tone="mute">
          {u.has_password ? t.off : t.noPassword}
        </Status>
      ),
  },
  { id: "signed_in_at", title: t.columns.signedIn, sort: true, cell: (u) => (u.signed_in_at ? <Time at={u.signed_in_at} /> : t.never) },
  { id: "id", title: "ID", hidden: true, filter: "exact", cell: (u) => <Id of={u.id} /> },
  { id: "created_at", title: t.columns.created, sort: true, hidden: true, cell: (u) => <Time at={u.created_at} /> },
];

/** The tenant's people and its programs' keys. */
export function Team() {
  const admin = isAdmin(useMe());
  const { invite } = useSearch({ from: "/app/team" });
  const inviting = useAddress();
  const [adding, setAdding] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const list = useList({
    name: "team",
    key: ["user"],
    command: ["user", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/users", { signal, params: { query } })),
  });
  const withMenu: Column<User>[] = [
    ...columns,
    { id: "acts", title: strings.ui.table.actions, value: null, cell: (u) => <Acts of={u} ask={(what) => setAsked({ what, user: u })} /> },
  ];
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        admin && (
          <>
            <Button onClick={() => setAdding(true)}>{t.add}</Button>
            <Button kind="primary" onClick={() => inviting({ invite: "yes" })}>
              {t.invite}
            </Button>
          </>
        )
      }
    >
      <DataTable list={list} title={t.title} columns={withMenu} id={(u) => u.id} empty={<Empty title={t.empty} />} />
      {admin && <Invitations />}
      {admin && <Domains />}
      <ApiKeys />
      {admin && invite && (
        <Invite roles={t.roles} first="tenant_user" rolesHint={t.rolesHint} onClose={() => inviting({ invite: undefined })} />
      )}
      <NewPerson open={adding} onClose={() => setAdding(false)} />
      <Change asked={asked} onClose={() => setAsked(undefined)} />
      {asked?.what === "password" && <PasswordDialog id={asked.user.id} name={nameOf(asked.user)} onClose={() => setAsked(undefined)} />}
      {asked?.what === "factor" && <FactorDialog of={asked.user} onClose={() => setAsked(undefined)} />}
      {asked?.what === "keys" && <SshKeys id={asked.user.id} name={nameOf(asked.user)} onClose={() => setAsked(undefined)} />}
    </Page>
  );
}

function Acts({ of: u, ask }: { of: User; ask: (what: Asked["what"]) => void }) {
  const who = useMe();
  if (!isAdmin(who)) return null;
  const items: MenuItem[] = u.state === "invited" ? [] : [{ label: t.sshKeys, act: () => ask("keys") }];
  const others = u.id !== who.id;
  if (others) items.push({ label: u.role === "tenant_admin" ? t.makeUser : t.makeAdmin, act: () => ask("role") });
  // Who has not come yet has no password, and becomes active by coming.
  if (others && u.state !== "invited") {
    items.push(
      { label: t.reset, act: () => ask("password") },
      ...(u.second_factor ? [{ label: t.takeFactor, act: () => ask("factor") }] : []),
      { label: u.state === "active" ? t.deactivate : t.activate, danger: u.state === "active", act: () => ask("state") },
    );
  }
  return <Menu items={items} label={`${strings.ui.table.actions}: ${nameOf(u)}`} />;
}

function Change({ asked, onClose }: { asked: Asked | undefined; onClose: () => void }) {
  if (asked?.what !== "role" && asked?.what !== "state") return null;
  const { user: u, what } = asked;
  const role = u.role === "tenant_admin" ? "tenant_user" : "tenant_admin";
  const state = u.state === "active" ? "disabled" : "active";
  const words =
    what === "role"
      ? {
          title: t.roleTitle(nameOf(u)),
          text: role === "tenant_admin" ? t.toAdmin : t.toUser,
          verb: role === "tenant_admin" ? t.makeAdmin : t.makeUser,
        }
      : state === "disabled"
        ? { title: t.deactivateTitle(nameOf(u)), text: t.deactivateText, verb: t.deactivate }
        : { title: t.activateTitle(nameOf(u)), text: t.activateText, verb: t.activate };
  return (
    <Confirm
      open
      onClose={onClose}
      title={words.title}
      verb={words.verb}
      act={async () => {
        await call(api.PATCH("/api/v1/users/{id}", { params: { path: { id: u.id } }, body: what === "role" ? { role } : { state } }));
        await queries.invalidateQueries({ queryKey: ["user"] });
        told(t.changed);
      }}
    >
      {words.text}
    </Confirm>
  );
}
