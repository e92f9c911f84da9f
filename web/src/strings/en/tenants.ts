/** The provider's list of tenants. */
export const tenants = {
  title: "Tenants",
  name: "Name",
  slug: "Slug",
  organisation: "Organisation",
  tier: "Tier",
  state: "State",
  created: "Created",
  empty: "No tenants yet",
  emptyHint: "A tenant is a customer of yours: its people, its sealed stores and its credentials.",
};
