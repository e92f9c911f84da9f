/** Signing in, and what belongs to it. */
export const login = {
  title: "Sign in",
  login: "Login",
  loginHint: "Your email, or SLUG.USER",
  password: "Password",
  submit: "Sign in",
  next: "A new password of your own",
  nextHint: "The provider set the one that you typed. Choose another, of 12 characters or more, that nobody else knows.",
  code: "Code",
  codeHint: "What your authenticator app shows: six digits.",
  recovery: "Recovery code",
  recoveryHint: "One of the ten that you kept when you turned the second factor on. Each is good once.",
  useRecovery: "Use a recovery code",
  useCode: "Use the authenticator app",
  back: "Back",
  lost: "Lost both? An admin of your organisation can take the second factor away.",
  noAdmin: "No administrator yet? Run tributary setup-link on the server.",
};
