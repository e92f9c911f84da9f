/** Signing in, and what belongs to it. */
export const login = {
  title: "Sign in",
  login: "Login",
  loginHint: "Your email, or SLUG.USER",
  password: "Password",
  submit: "Sign in",
  next: "A new password of your own",
  nextHint: "The provider set the one that you typed. Choose another, of 12 characters or more, that nobody else knows.",
  noAdmin: "No administrator yet? Run tributary setup-link on the server.",
};
