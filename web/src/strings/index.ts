import { app } from "./en/app";
import { login } from "./en/login";
import { tenants } from "./en/tenants";
import { ui } from "./en/ui";

/**
 * Every word that the portals say, by where they say it. Pages take theirs from here and have none of their own, so that another
 * language is another folder beside en with the same shape.
 */
export const strings = { app, login, tenants, ui };
