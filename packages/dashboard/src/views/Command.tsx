import { CopyButton } from "./CopyButton.tsx"
import { Icon } from "./Icon.tsx"

/** A command to type, with a button that copies it. */
export const Command = ({ text }: { readonly text: string }) => (
  <span class="command">
    <code>{text}</code>
    <CopyButton text={text} label="Copy the command">
      <Icon name="copy" />
    </CopyButton>
  </span>
)
