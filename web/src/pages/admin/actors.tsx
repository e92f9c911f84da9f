import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, call, items } from "../../api/client";
import { may } from "../../app/access";
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

/** Who did something: a schedule, one of the provider's people or keys by name, or an id. */
export function Actor({ of }: { of: string | undefined }) {
  const who = useMe();
  const staff = useQuery({
    queryKey: ["user", "staff"],
    staleTime: 60_000,
    enabled: who.role !== "analyst" && (of ?? "").startsWith("usr_"),
    queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, params: { query: { limit: 500 } } })),
  });
  const keys = useQuery({
    queryKey: ["key", "staff"],
    staleTime: 60_000,
    enabled: who.role !== "analyst" && (of ?? "").startsWith("key_"),
    queryFn: ({ signal }) => call(api.GET("/api/v1/api-keys", { signal, params: { query: { limit: 500 } } })),
  });
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
  const known = items(staff.data).find((u) => u.id === of)?.email ?? items(keys.data).find((k) => k.id === of)?.name;
  return known ? (
    <span title={of}>
      <Name of={known} />
    </span>
  ) : (
    <Id of={of} />
  );
}
