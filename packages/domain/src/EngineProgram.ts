/** Programs that listen for containers: the engines, and what forwards ports to them. */
const enginePrograms =
  /^(docker(d|-proxy)?|com\.docker\..*|vpnkit.*|containerd(-shim.*)?|podman|conmon|(containers-)?rootless(port|kit).*|slirp4netns|gvproxy|pas(ta|st)(\..*)?|netavark|crun|runc|nerdctl|buildkitd|crio|OrbStack.*|limactl|colima)$/

/** Whether a program of this name listens for containers. */
export const isEngineProgram = (command: string | undefined): boolean => enginePrograms.test(command ?? "")
