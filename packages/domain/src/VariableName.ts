import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

// A project file comes with a cloned repository: it must not change which programs run, how they load code, or which
// server portctl asks.
const words = (text: string): ReadonlyArray<string> => text.split(" ")
const shells = words(
  "PATH HOME SHELL ENV IFS CDPATH FPATH ZDOTDIR SHELLOPTS INPUTRC TERMCAP TMPDIR NULLCMD READNULLCMD PWD OLDPWD USER LOGNAME"
)
// zsh ties each name in lower case to the one in upper case.
const zsh = words("path fpath cdpath mailpath module_path MODULE_PATH prompt")
// What they contain is expanded.
const prompts = words("PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT2 PROMPT3 PROMPT4 RPS1 RPS2 MAIL MAILPATH")
// bash and zsh compute the values of these, with the commands in them, or cannot set them; they write HISTFILE.
const numbers = [
  ...words(
    "RANDOM SRANDOM HISTCMD OPTIND TMOUT UID EUID GID EGID PPID MAILCHECK SECONDS HISTSIZE SAVEHIST COLUMNS LINES"
  ),
  ...words(
    "SHLVL LISTMAX KEYTIMEOUT FUNCNEST ERRNO LINENO TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT BAUD DIRSTACKSIZE LOGCHECK"
  ),
  ...words("PERIOD REPORTTIME ZLE_RPROMPT_INDENT"),
  "HISTFILE"
]
const runtimes = [
  ...words("NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_REPL_EXTERNAL_MODULE NODE_TLS_REJECT_UNAUTHORIZED"),
  ...words("NODE_V8_COVERAGE NODE_REDIRECT_WARNINGS ELIXIR_ERL_OPTIONS"),
  ...words("BUN_OPTIONS CLASSPATH JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS JAVACMD PHPRC PHP_INI_SCAN_DIR"),
  ...words(
    "DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS DOTNET_SHARED_STORE DOTNET_ROOT ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ERL_LIBS JULIA_LOAD_PATH JULIA_DEPOT_PATH"
  ),
  ...words("IPYTHONDIR JUPYTER_PATH JUPYTER_CONFIG_DIR JUPYTER_CONFIG_PATH GUILE_LOAD_PATH TCLLIBPATH EMACSLOADPATH")
]
const started = [
  ...words(
    "PAGER MANPAGER MANOPT LESS LESSOPEN LESSCLOSE LESSEDIT SYSTEMD_LESS KRB5_CONFIG EDITOR VISUAL FCEDIT BROWSER VIM VIMINIT VIMRUNTIME EXINIT MAKEFLAGS"
  ),
  ...words(
    "GNUMAKEFLAGS MAKEFILES MANROFFOPT P4EDITOR SSH_ASKPASS SUDO_ASKPASS SSH_AUTH_SOCK SSH_SK_HELPER SSH_SK_PROVIDER SSH_PKCS11_HELPER TAR_OPTIONS"
  ),
  ...words(
    "TAR_RSH TAPE ZIPOPT CVS_RSH SVN_SSH PSQLRC MYSQL_HOME RIPGREP_CONFIG_PATH WGETRC CURL_HOME JJ_CONFIG SCREENRC"
  ),
  ...words(
    "HGRCPATH HGEDITOR HGMERGE STARSHIP_CONFIG GCONV_PATH LOCPATH GLIBC_TUNABLES GTK_MODULES GTK_PATH GIO_EXTRA_MODULES QT_PLUGIN_PATH"
  )
]
const managers = words(
  "ZSH ZSH_CUSTOM NVM_DIR FNM_DIR NODENV_ROOT PYENV_ROOT RBENV_ROOT ASDF_DIR ASDF_DATA_DIR SDKMAN_DIR VOLTA_HOME PNPM_HOME"
)
const builds = [
  ...words(
    "RUSTC RUSTDOC AR AS PKG_CONFIG PKG_CONFIG_PATH CMAKE_TOOLCHAIN_FILE GRADLE_HOME GRADLE_USER_HOME MAVEN_HOME M2_HOME JAVA_HOME JAVA_OPTS MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS SBT_OPTS ANT_OPTS GOENV GOFLAGS GOPROXY GOROOT"
  ),
  ...words("GOTOOLCHAIN CC CXX CPP LD CFLAGS CXXFLAGS CPPFLAGS LDFLAGS RUSTFLAGS RUSTDOCFLAGS GCC_EXEC_PREFIX CPATH"),
  ...words("COMPILER_PATH LIBRARY_PATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH CONFIG_SITE CONFIG_SHELL GOCACHEPROG GOAUTH"),
  "ESBUILD_BINARY_PATH"
]
// Docker's configuration has plugins, and others name programs that give credentials, or where they are sent.
const clouds = [
  ...words("DOCKER_CONFIG DOCKER_CONTEXT DOCKER_HOST CONTAINERS_CONF CONTAINER_HOST KUBECONFIG AWS_CONFIG_FILE"),
  ...words("AWS_SHARED_CREDENTIALS_FILE GNUPGHOME TF_CLI_CONFIG_FILE HELM_PLUGINS ANTHROPIC_BASE_URL OPENAI_BASE_URL"),
  "CODEX_HOME"
]
const certificates = words("SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSLKEYLOGFILE")
const reserved = [
  ...[...shells, ...zsh, ...prompts, ...numbers, ...runtimes, ...started, ...managers, ...builds, ...clouds],
  ...certificates
]
const libraries = [
  ...words(
    "LD_ DYLD_ PYTHON PERL5 PERLLIB PERLIO RUBYOPT RUBYLIB RUBYPATH RUBYSHELL LUA_ R_PROFILE R_ENVIRON R_LIBS OPENSSL_"
  ),
  ...words("DBUS_ TS_NODE_ CORECLR_ COR_ LC_")
]
const shellPrefixes = words("BASH_ BASHOPTS PROMPT_ RPROMPT SPROMPT TERMINFO FZF_ LESS_ LESSKEY fish_")
const settings = [
  ...words("GIT_ RSYNC_ PORTCTL_ PORT_SERVER_ COMPOSE_ COREPACK_ CARGO_ RUSTC_ RUSTUP_ PIP_ UV_ BUNDLE_ GEM_"),
  ...words("COMPOSER_ ANSIBLE_ XDG_ CGO_ CCACHE_ NIX_ CLAUDE_ npm_")
]
const reservedPrefixes = [...libraries, ...shellPrefixes, ...settings]

/** A pattern for a text in whichever case its letters are. */
const inAnyCase = (text: string): string => text.replace(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`)

// npm, Yarn and Python take these in any case.
const anyCase = [
  "npm_config_",
  "pnpm_config_",
  "yarn_",
  "http_proxy$",
  "https_proxy$",
  "all_proxy$",
  "ftp_proxy$",
  "no_proxy$"
]

/** Names of programs that others start: `AWS_PAGER`, `PSQL_EDITOR`. */
const startedBy = "[A-Z0-9_]+_(?:PAGER|EDITOR|BROWSER|ASKPASS)$"

// What a service called ruby or git-server gets, which is a number.
const ofService = "(?!PORTCTL_|PORT_SERVER_|P?NPM_CONFIG_)(?:[A-Z0-9]+_)+PORT$"

const refusedPatterns = [`(?:${reserved.join("|")})$`, ...reservedPrefixes, ...anyCase.map(inAnyCase), startedBy]
const refused = `(?!${ofService})(?:${refusedPatterns.join("|")})`
const refusedName = new RegExp(`^${refused}`)

/** Whether a variable is one that a project file must not set, because it steers programs. */
export const isRefused = (name: string): boolean => refusedName.test(name)

/** What is wrong with the name of a variable that a project file sets, if anything. */
export const nameProblem = (name: string): string | undefined => {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "must be the name of a variable, like PORT or DB_PORT"
  return isRefused(name) ? `must not be ${name}: a project file cannot set that variable` : undefined
}

/** The JSON Schema of the name of a variable that a project file may set. */
export const nameJsonSchema = { pattern: `^(?!${refused})[A-Za-z_][A-Za-z0-9_]*$` }

const VariableName = Schema.String.pipe(
  Schema.filter((name) => nameProblem(name) === undefined, {
    identifier: "VariableName",
    description: "an environment variable, but none that changes how programs are found or loaded",
    examples: ["PORT", "PGPORT"],
    jsonSchema: nameJsonSchema
  })
)

/** Most variables that carry one port. */
const maxNames = 64

const listSentence = 'env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'

/** What is wrong with the names of variables, in one sentence. */
const sentenceOf = (names: unknown): string => {
  const list: ReadonlyArray<unknown> = Array.isArray(names) ? names : [names]
  if (list.length === 0 || !list.every(Predicate.isString)) return listSentence
  if (list.length > maxNames) return `env must be at most ${maxNames} names, not ${list.length}`
  const problem = list.map(nameProblem).find(Predicate.isNotUndefined)
  return problem === undefined ? listSentence : `env ${problem}`
}

/** The environment variable that carries a port, or a list of them. */
export const VariableNames = Schema.Union(
  VariableName,
  Schema.NonEmptyArray(VariableName)
    .pipe(Schema.maxItems(maxNames))
    .annotations({ description: "several variables that carry the same port" })
).annotations({ message: ({ actual }) => ({ message: sentenceOf(actual), override: true }) })
