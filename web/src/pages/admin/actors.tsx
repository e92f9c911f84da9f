import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, call, items } from "../../api/client";
import { may } from "../../app/access";
import { type Choice, choicesOf } from "../../app/choices";
import { apiKeys } from "../../app/keys";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Id, Name } from "../../ui/values";

type Named = { name: string; slug: string };

const known = queryOptions({
  queryKey: ["tenant", "names"],
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    const found = new Map<string, Named>();
    let after: string | undefined;
    do {
      const page = await call(api.GET("/api/v1/tenants", { signal, params: { query: { limit: 500, ...(after && { after }) } } }));
      for (const { id, name, slug } of items(page)) found.set(id, { name, slug });
      after = page.next;
    } while (after && found.size < 5000);
    return found;
  },
});

/** Names and slugs of tenants by their ids; empty until they are fetched, and for who may not read them. */
export function useTenants(): Map<string, Named> {
  return useQuery({ ...known, enabled: may(useMe(), "/admin/tenants") }).data ?? none;
}

/** What a file says of a tenant in a list: its name, as far as it is known. */
export function tenantValue(known: Map<string, Named>, id: string | undefined, slug?: string): string | undefined {
  return known.get(id ?? "")?.name ?? slug ?? id;
}

/** Only their names. */
export function useTenantNames(): Map<string, string> {
  return useQuery({ ...known, enabled: may(useMe(), "/admin/tenants"), select: namesOf }).data ?? nameless;
}

const none = new Map<string, Named>();
const nameless = new Map<string, string>();
const namesOf = (all: Map<string, Named>) => new Map([...all].map(([id, { name }]) => [id, name]));

/** A tenant by its name, as far as it is known, and where to read more. */
export function TenantLink({ id, slug }: { id: string; slug?: string | undefined }) {
  const known = useTenants().get(id);
  const name = <Name of={known?.name ?? slug ?? id} />;
  if (!may(useMe(), "/admin/tenants")) return name;
  return (
    <Link to={`/admin/tenants/${id}` as string} title={known?.slug ?? slug ?? id}>
      {name}
    </Link>
  );
}

const staffPeople = queryOptions({
  queryKey: ["user", "staff"],
  staleTime: 60_000,
  queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, params: { query: { limit: 500 } } })),
});

/** Who of the provider may have acted, to choose from. */
export function useActors(): Choice[] {
  const enabled = useMe().role !== "analyst";
  const staff = useQuery({ ...staffPeople, enabled }).data;
  const keys = useQuery({ ...apiKeys, enabled }).data;
  return useMemo(() => choicesOf(items(staff), keys?.keys ?? []), [staff, keys]);
}

/** Who did something: a schedule, one of the provider's people or keys by name, or an id. */
export function Actor({ of }: { of: string | undefined }) {
  const who = useMe();
  const staff = useQuery({ ...staffPeople, enabled: who.role !== "analyst" && (of ?? "").startsWith("usr_") });
  const keys = useQuery({ ...apiKeys, enabled: who.role !== "analyst" && (of ?? "").startsWith("key_") });
  if (of?.startsWith("schedule:")) {
    const name = of.slice("schedule:".length);
    return (
      <span>
        {strings.runs.actor.schedule}{" "}
        <Link to="/admin/schedules/$id" params={{ id: name }}>
          {name}
        </Link>
      </span>
    );
  }
  const known = items(staff.data).find((u) => u.id === of)?.email ?? keys.data?.keys.find((k) => k.id === of)?.name;
  return known ? (
    <span title={of}>
      <Name of={known} />
    </span>
  ) : (
    <Id of={of} />
  );
}
