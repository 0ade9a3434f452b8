import * as Option from "effect/Option"

/** What the command line gives of where it runs. */
export interface Given {
  readonly app: Option.Option<string>
  readonly instance: Option.Option<string>
}

/** That of a command without these flags. */
export const nothingGiven: Given = { app: Option.none(), instance: Option.none() }

/** What can be given. */
export type Field = keyof Given

/** Says how to give an app or an instance to the command that runs. */
export type Advice = (...fields: ReadonlyArray<Field>) => string

/** The variable that gives it. */
export const variableOf = (field: Field) => `PORTCTL_${field.toUpperCase()}`

/** How to give it to the command that has such a command line. */
export const adviceFor =
  (given: Given): Advice =>
  (...fields) =>
    given === nothingGiven
      ? `set ${fields.map(variableOf).join(" and ")}`
      : `give ${fields.map((field) => `--${field}`).join(" and ")}`
