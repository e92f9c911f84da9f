import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Copy } from "../../ui/Copy";
import { Select } from "../../ui/Field";
import { collectorAt, snippetsOf } from "./snippets";

const t = strings.events.sources;

/** How the clients that people have are told to send here, with a key or with a word for it. */
export function HowTo({ writeKey = t.key }: { writeKey?: string }) {
  const query = useQuery({
    queryKey: ["collector"],
    staleTime: 600_000,
    queryFn: ({ signal }) => call(api.GET("/api/v1/collector", { signal })),
  });
  const [client, setClient] = useState("");
  if (!query.data) return null;
  const collector = query.data.address ? collectorAt(query.data.address, location.hostname) : "";
  const all = snippetsOf({ key: writeKey, collector, server: location.origin });
  const chosen = client in all ? client : (Object.keys(all)[0] ?? "");
  return (
    <section className="stack" aria-label={t.howTo}>
      <Select
        label={t.client}
        value={chosen}
        onChange={setClient}
        options={Object.keys(all).map((value) => ({ value, label: t.clients[value] ?? value }))}
      />
      <Copy label={t.clients[chosen] ?? t.howTo} text={all[chosen] ?? ""} />
      <p className="secondary">{collector ? t.address : t.noCollector}</p>
    </section>
  );
}
