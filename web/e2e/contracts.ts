import { url } from "./world";

/** Applies a dataset's contract or an analysis' definition, as the system admin. */
export async function apply(kind: "datasets" | "analyses", yaml: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/${kind}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.TRIBUTARY_TOKEN}`, "Content-Type": "application/yaml" },
    body: yaml,
  });
  if (!response.ok) throw new Error(`apply ${kind}: ${response.status} ${await response.text()}`);
}

/** The contract of monthly sales, under a name of the story's own. */
export const sales = (name: string) => `dataset: ${name}
title: Sales of ${name}
description: What each shop sold, once a month.
csv: {delimiter: ";", decimal: ","}
columns:
  - {name: Month, type: date, role: business_date}
  - {name: Shop, type: text, role: participant}
  - {name: Product, type: text, required: true, max_length: 1000}
  - {name: Revenue, type: decimal, scale: 2, unit: EUR, required: true, min: 0}
unique: [Product]
file_name: "{dataset}-{date}-{participant}.csv"
cadence: monthly
due: {after_days: 5, at: "12:00", zone: Europe/Zurich, grace: 2d}
`;

/** An analysis of those sales. */
export const means = (name: string, dataset: string, rules = "") => `analysis: ${name}
title: Benchmark ${name}
datasets: [${dataset}]
groups: [Product]
measures:
  - {name: Revenue, function: mean, column: Revenue, decimals: 1}
recipients: contributors
own_value: true
output:
  file_name: "benchmark-{date}-{participant}.csv"
  date_column: Month
  date_format: YYYY-MM-DD
  id_column: Shop
  own_prefix: Your
${rules}`;
