import { shown } from "../model/Text.ts"

/** The path of a folder, whose end is what counts when there is no room for all of it. */
export const Path = ({ isGone, path }: { readonly path: string; readonly isGone: boolean }) => {
  const text = shown(path)
  const end = text.lastIndexOf("/")
  return (
    <span class="path" title={text}>
      <span class="path-start">{text.slice(0, end)}</span>
      <span class="path-end">{text.slice(end)}</span>
      {isGone ? <span class="gone">is gone</span> : undefined}
    </span>
  )
}
