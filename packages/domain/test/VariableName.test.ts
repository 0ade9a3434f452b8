import { describe, expect, it } from "@effect/vitest"
import { isRefused, nameJsonSchema, nameProblem } from "../src/VariableName.ts"

const refused = [
  ..."PATH HOME SHELL ENV BASH_ENV PROMPT_COMMAND IFS NODE_OPTIONS RUBYOPT".split(" "),
  ..."LD_PRELOAD DYLD_INSERT_LIBRARIES PYTHONSTARTUP PYTHONPATH PERL5OPT PERL5LIB GIT_SSH_COMMAND".split(" "),
  ..."CDPATH PS4 NODE_PATH _JAVA_OPTIONS LESSOPEN PAGER EDITOR MAKEFLAGS SSH_ASKPASS GCONV_PATH".split(" "),
  ..."LUA_INIT npm_config_script_shell NPM_CONFIG_USERCONFIG RUSTC_WRAPPER XDG_CONFIG_HOME".split(" "),
  ..."DOCKER_CONFIG DOCKER_HOST CONTAINERS_CONF KUBECONFIG AWS_CONFIG_FILE".split(" "),
  ..."CC GOFLAGS RUSTFLAGS GRADLE_OPTS NODE_REPL_EXTERNAL_MODULE R_PROFILE_USER PIP_INDEX_URL".split(" "),
  ..."MAILPATH PROMPT RPS1 path RANDOM HISTFILE UID PERLLIB TAR_OPTIONS PSQLRC RSYNC_RSH".split(" "),
  ..."https_proxy Https_Proxy Npm_Config_script_shell yarn_yarn_path AWS_PAGER BUNDLE_GEMFILE".split(" "),
  ..."HISTSIZE SECONDS COLUMNS SHLVL ERRNO LESS DBUS_SESSION_BUS_ADDRESS fish_user_paths TMPDIR".split(" "),
  ..."K9S_EDITOR A_B_PAGER HGMERGE JAVACMD RSYNC_CONNECT_PROG pnpm_config_script_shell STARSHIP_CONFIG".split(" "),
  ..."LESSKEYIN RUSTC GRADLE_USER_HOME TS_NODE_REQUIRE R_LIBS_USER".split(" "),
  ..."PERIOD REPORTTIME ZLE_RPROMPT_INDENT GNUMAKEFLAGS ESBUILD_BINARY_PATH NODE_V8_COVERAGE".split(" "),
  ..."GOCACHEPROG CGO_CFLAGS CCACHE_PREFIX npm_execpath PWD LC_ALL CLAUDE_CONFIG_DIR".split(" "),
  ..."PORTCTL_RUN PORT_SERVER_ADDR PORT_SERVER_PORT".split(" ")
]

const allowed = [
  ..."LESSON_URL PATH_URL SSH_URL HG_URL HOST_URL ASSET_URL TERM_URL CC_URL".split(" "),
  ..."PORT PGPORT VITE_API_PORT DATABASE_URL RUBY_PORT GIT_SERVER_PORT PROMPTS_URL".split(" ")
]

describe("the name of a variable of a project file", () => {
  const pattern = new RegExp(nameJsonSchema.pattern)

  for (const name of refused) {
    it(`must not be ${name}, which steers programs`, () => {
      expect(nameProblem(name)).toBe(`must not be ${name}: a project file cannot set that variable`)
      expect(isRefused(name)).toBe(true)
      expect(pattern.test(name)).toBe(false)
    })
  }

  for (const name of allowed) {
    it(`may be ${name}`, () => {
      expect(nameProblem(name)).toBeUndefined()
      expect(pattern.test(name)).toBe(true)
    })
  }
})
