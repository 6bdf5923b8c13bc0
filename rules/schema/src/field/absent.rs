//! Fields that Falco has and for which nothing gives a value yet.
//!
//! A condition or an output may name them; they are absent in every event, so that a test of
//! one is false whatever it asks. A field that gets a value moves to
//! [`for_each_field!`](crate::for_each_field), and extraction does not compile until it has
//! its arm there.

/// Why fields have no value: how their names begin, and the reason. Fields that no row speaks of
/// are merely not done yet.
pub(super) const REASONS: &[(&str, &str)] = &[
    (
        "evt.plugin",
        "their events come from plugins, and Saker runs none",
    ),
    (
        "fd.cip.name fd.sip.name fd.lip.name fd.rip.name",
        "a name server would learn what is being watched, and could answer as it likes",
    ),
    (
        "thread.",
        "every switch of the scheduler would have to be recorded",
    ),
];

/// The table of all fields without values. Calls `$callback { $before rows }`; a row is
/// `Variant "falco.name" Type ArgKind "description" Flag*;`.
#[macro_export]
macro_rules! for_each_absent_field {
    ($before:tt $($callback:tt)+) => {
        $($callback)+ {
            $before
            EvtPluginname "evt.pluginname" Text None "Name of the plugin that the event comes from; Saker runs none.";
            EvtPlugininfo "evt.plugininfo" Text None "What that plugin says of the event; Saker runs none.";

            FdCipName "fd.cip.name" Text None "Host name of the client's address." NoRhs NoTransformer;
            FdSipName "fd.sip.name" Text None "Host name of the server's address." NoRhs NoTransformer;
            FdLipName "fd.lip.name" Text None "Host name of the local address." NoRhs NoTransformer;
            FdRipName "fd.rip.name" Text None "Host name of the remote address." NoRhs NoTransformer;


            ThreadExectime "thread.exectime" RelTime None "Nanoseconds on a processor since the last switch.";
            ThreadTotexectime "thread.totexectime" RelTime None "Nanoseconds on a processor since the start of recording.";
            ThreadCpu "thread.cpu" Double None "Part of a processor that the thread used in the last second.";
            ThreadCpuUser "thread.cpu.user" Double None "Part of that in user mode.";
            ThreadCpuSystem "thread.cpu.system" Double None "Part of that in kernel mode.";

        }
    };
}

/// A pattern that all fields without values match, for exhaustive matches over [`Field`].
///
/// [`Field`]: crate::field::Field
#[macro_export]
macro_rules! absent_field {
    () => {
        $crate::for_each_absent_field!({} $crate::absent_field_pattern!)
    };
}

/// What [`absent_field!`](crate::absent_field) makes of the table.
#[doc(hidden)]
#[macro_export]
macro_rules! absent_field_pattern {
    ({} $($name:ident $text:literal $kind:ident $arg:ident $doc:literal $($flag:ident)*;)*) => {
        $($crate::field::Field::$name)|*
    };
}
