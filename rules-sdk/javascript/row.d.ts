/** A field that has one value. */
export interface Field<T> { readonly value?: T; of(argument: string | number): Field<T>; }
/** A field whose values are lists; with an argument, it has one. */
export interface Many<T> { readonly values?: T[]; of(argument: string | number): Field<T>; }
/** A field that wants an argument. */
export interface WithArgument<T> { of(argument: string | number): Field<T>; }

/** What all rows have. */
export interface Row { readonly time: bigint; readonly number: bigint; readonly isCut: boolean; }
export type Fields = Record<string, Field<any> | Many<any>>;
/** A row with a property for each field. */
export type RowOf<F extends Fields> = Row & {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T | undefined
    : F[K] extends Many<infer T> ? T[] : never;
};
