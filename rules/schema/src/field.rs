//! The field catalogue: every field a condition or an output may name.
//!
//! Names and types are Falco's (libs 0.25); descriptions are ours. A field is one row of the
//! table [`for_each_field!`]; ids, look-ups, documentation and the host's extraction derive
//! from it, so that a forgotten place does not compile.

/// What values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Bytes that are text by convention (Falco `CHARBUF`).
    Text,
    /// True or false (`BOOL`).
    Bool,
    /// A signed number (`INT16` to `INT64`).
    Int,
    /// An unsigned number (`UINT8` to `UINT64`).
    Uint,
    /// A port number (`PORT`).
    Port,
    /// An IPv4 or IPv6 address (`IPADDR`): 4 or 16 bytes.
    IpAddr,
    /// Nanoseconds since the epoch (`ABSTIME`).
    AbsTime,
    /// Nanoseconds (`RELTIME`).
    RelTime,
}

/// What must be known to give a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// The event itself.
    Event,
    /// Only the process (its version, ancestors, user, container): judged once per process
    /// and window, not once per event.
    Process,
}

/// What may stand in brackets behind a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgKind {
    /// Nothing.
    None,
    /// A number or nothing; nothing means the list of all.
    Index,
    /// A name or nothing.
    Key,
    /// A name; also written `field.NAME`.
    KeyRequired,
}

/// The table of all fields. Calls `$callback! { rows }`; a row is
/// `Variant "falco.name" Type Binding ArgKind "description";`.
#[macro_export]
macro_rules! for_each_field {
    ($callback:ident) => {
        $callback! {
            EvtNum "evt.num" Uint Event None "Number of the event, counted by Saker in the order of time.";
            EvtTime "evt.time" Text Event None "Time of day with nanoseconds, UTC.";
            EvtTimeIso8601 "evt.time.iso8601" Text Event None "Date and time with nanoseconds, UTC, as ISO 8601.";
            EvtRawtime "evt.rawtime" AbsTime Event None "Time in nanoseconds since the epoch.";
            EvtType "evt.type" Text Event None "Name of the event type, for example `openat`.";
            SyscallType "syscall.type" Text Event None "Name of the system call; absent for events that are none.";
            EvtCategory "evt.category" Text Event None "Group of the event type, for example `file` or `net`.";
            EvtCpu "evt.cpu" Int Event None "CPU on which the event happened.";
            EvtDir "evt.dir" Text Event None "Direction: `<` for every event but `procexit`. Deprecated by Falco.";
            EvtArgs "evt.args" Text Event None "All parameters as `name=value`, separated by blanks.";
            EvtArg "evt.arg" Text Event KeyRequired "One parameter as text; flags are spelled out.";
            EvtRes "evt.res" Text Event None "`SUCCESS` or the name of the error, for example `ENOENT`.";
            EvtRawres "evt.rawres" Int Event None "What the call returned; negative: minus the error number.";
            EvtFailed "evt.failed" Bool Event None "Whether the call returned an error.";
            EvtIsOpenRead "evt.is_open_read" Bool Event None "Whether a file was opened for reading.";
            EvtIsOpenWrite "evt.is_open_write" Bool Event None "Whether a file was opened for writing.";
            EvtIsOpenExec "evt.is_open_exec" Bool Event None "Whether a file was created with an execute bit.";
            EvtIsOpenCreate "evt.is_open_create" Bool Event None "Whether the call created the file it opened.";
            EvtSource "evt.source" Text Event None "Where events of this kind come from; `syscall`.";
            EvtHostname "evt.hostname" Text Event None "Name of the host.";

            FdNum "fd.num" Int Event None "Number of the descriptor the event is about.";
            FdType "fd.type" Text Event None "Kind of the descriptor, for example `file`, `ipv4` or `unix`.";
            FdTypechar "fd.typechar" Text Event None "Kind of the descriptor as one character.";
            FdName "fd.name" Text Event None "Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`.";
            FdDirectory "fd.directory" Text Event None "Directory of a file's path.";
            FdFilename "fd.filename" Text Event None "Last part of a file's path.";
            FdNameraw "fd.nameraw" Text Event None "Path as the program gave it.";
            FdIp "fd.ip" IpAddr Event None "Client or server address.";
            FdCip "fd.cip" IpAddr Event None "Client's address.";
            FdSip "fd.sip" IpAddr Event None "Server's address.";
            FdLip "fd.lip" IpAddr Event None "Local address.";
            FdRip "fd.rip" IpAddr Event None "Remote address.";
            FdPort "fd.port" Port Event None "Client or server port.";
            FdCport "fd.cport" Port Event None "Client's port.";
            FdSport "fd.sport" Port Event None "Server's port.";
            FdLport "fd.lport" Port Event None "Local port.";
            FdRport "fd.rport" Port Event None "Remote port.";
            FdL4proto "fd.l4proto" Text Event None "Transport protocol: `tcp`, `udp`, `icmp` or `raw`.";
            FdSockfamily "fd.sockfamily" Text Event None "Family of the socket: `ip` or `unix`.";
            FdIsServer "fd.is_server" Bool Event None "Whether the process is the server of this connection.";
            FdConnected "fd.connected" Bool Event None "Whether the socket is connected.";
            FdDev "fd.dev" Int Event None "Device number of the file's file system.";
            FdDevMajor "fd.dev.major" Int Event None "Major part of that number.";
            FdDevMinor "fd.dev.minor" Int Event None "Minor part of that number.";
            FdIno "fd.ino" Int Event None "Inode number of the file.";
            FdIsUpperLayer "fd.is_upper_layer" Bool Event None "Whether the file lies in an overlay's upper layer.";
            FdIsLowerLayer "fd.is_lower_layer" Bool Event None "Whether the file lies in an overlay's lower layer.";

            FsPathName "fs.path.name" Text Event None "Path a file-system call works on, made absolute and normalised.";
            FsPathNameraw "fs.path.nameraw" Text Event None "That path as the program gave it.";
            FsPathSource "fs.path.source" Text Event None "Source path of a call that has two, made absolute and normalised.";
            FsPathSourceraw "fs.path.sourceraw" Text Event None "Source path as the program gave it.";
            FsPathTarget "fs.path.target" Text Event None "Target path of a call that has two, made absolute and normalised.";
            FsPathTargetraw "fs.path.targetraw" Text Event None "Target path as the program gave it.";

            ProcExe "proc.exe" Text Process None "First argument of the program (`argv[0]`).";
            ProcPexe "proc.pexe" Text Process None "`proc.exe` of the parent.";
            ProcAexe "proc.aexe" Text Process Index "`proc.exe` of the ancestor of that level (1 = parent), or of any.";
            ProcExepath "proc.exepath" Text Process None "Path of the executable file.";
            ProcPexepath "proc.pexepath" Text Process None "`proc.exepath` of the parent.";
            ProcAexepath "proc.aexepath" Text Process Index "`proc.exepath` of the ancestor of that level, or of any.";
            ProcName "proc.name" Text Process None "Name of the process (the kernel's `comm`).";
            ProcPname "proc.pname" Text Process None "Name of the parent.";
            ProcAname "proc.aname" Text Process Index "Name of the ancestor of that level, or of any.";
            ProcArgs "proc.args" Text Process Index "Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`).";
            ProcCmdline "proc.cmdline" Text Process None "`proc.name` and the arguments.";
            ProcPcmdline "proc.pcmdline" Text Process None "`proc.cmdline` of the parent.";
            ProcAcmdline "proc.acmdline" Text Process Index "`proc.cmdline` of the ancestor of that level, or of any.";
            ProcCmdnargs "proc.cmdnargs" Uint Process None "Number of arguments without the first.";
            ProcCmdlenargs "proc.cmdlenargs" Uint Process None "Characters in the arguments without the first, blanks not counted.";
            ProcExeline "proc.exeline" Text Process None "`proc.exe` and the arguments.";
            ProcEnv "proc.env" Text Process Key "Environment as `NAME=value` separated by blanks; with a name, its value.";
            ProcCwd "proc.cwd" Text Process None "Current directory, ended by a slash.";
            ProcLoginshellid "proc.loginshellid" Int Process None "Process id of the oldest shell among the ancestors.";
            ProcTty "proc.tty" Uint Process None "Device number of the controlling terminal, 0 if none.";
            ProcPid "proc.pid" Int Process None "Process id.";
            ProcPpid "proc.ppid" Int Process None "Process id of the parent.";
            ProcApid "proc.apid" Int Process Index "Process id of the ancestor of that level, or of any.";
            ProcVpid "proc.vpid" Int Process None "Process id in the process's own pid namespace.";
            ProcPvpid "proc.pvpid" Int Process None "Parent's process id in its own pid namespace.";
            ProcSid "proc.sid" Int Process None "Session id, in the process's own pid namespace.";
            ProcSname "proc.sname" Text Process None "Name of the session's leader, or of the oldest ancestor in the session.";
            ProcSidExe "proc.sid.exe" Text Process None "`proc.exe` of the session's leader.";
            ProcSidExepath "proc.sid.exepath" Text Process None "`proc.exepath` of the session's leader.";
            ProcVpgid "proc.vpgid" Int Process None "Process group, in the process's own pid namespace.";
            ProcVpgidName "proc.vpgid.name" Text Process None "Name of the process group's leader.";
            ProcVpgidExe "proc.vpgid.exe" Text Process None "`proc.exe` of the process group's leader.";
            ProcVpgidExepath "proc.vpgid.exepath" Text Process None "`proc.exepath` of the process group's leader.";
            ProcDuration "proc.duration" RelTime Event None "Nanoseconds since the process started.";
            ProcPpidDuration "proc.ppid.duration" RelTime Event None "Nanoseconds since the parent started.";
            ProcPidTs "proc.pid.ts" RelTime Process None "When the process started, in nanoseconds since the epoch.";
            ProcPpidTs "proc.ppid.ts" RelTime Process None "When the parent started.";
            ProcIsExeWritable "proc.is_exe_writable" Bool Process None "Whether the process's user may write its executable.";
            ProcIsExeUpperLayer "proc.is_exe_upper_layer" Bool Process None "Whether the executable lies in an overlay's upper layer.";
            ProcIsExeLowerLayer "proc.is_exe_lower_layer" Bool Process None "Whether the executable lies in an overlay's lower layer.";
            ProcIsExeFromMemfd "proc.is_exe_from_memfd" Bool Process None "Whether the executable is an anonymous memory file.";
            ProcIsSidLeader "proc.is_sid_leader" Bool Process None "Whether the process leads its session.";
            ProcIsVpgidLeader "proc.is_vpgid_leader" Bool Process None "Whether the process leads its process group.";
            ProcExeIno "proc.exe_ino" Int Process None "Inode number of the executable.";
            ProcExeInoCtime "proc.exe_ino.ctime" AbsTime Process None "When the executable's inode last changed.";
            ProcExeInoMtime "proc.exe_ino.mtime" AbsTime Process None "When the executable's content last changed.";
            ProcStdinType "proc.stdin.type" Text Event None "Kind of descriptor 0.";
            ProcStdoutType "proc.stdout.type" Text Event None "Kind of descriptor 1.";
            ProcStderrType "proc.stderr.type" Text Event None "Kind of descriptor 2.";
            ProcStdinName "proc.stdin.name" Text Event None "Name of descriptor 0.";
            ProcStdoutName "proc.stdout.name" Text Event None "Name of descriptor 1.";
            ProcStderrName "proc.stderr.name" Text Event None "Name of descriptor 2.";

            ThreadCapPermitted "thread.cap_permitted" Text Process None "Permitted capabilities, names separated by blanks.";
            ThreadCapInheritable "thread.cap_inheritable" Text Process None "Inheritable capabilities.";
            ThreadCapEffective "thread.cap_effective" Text Process None "Effective capabilities.";
            ThreadTid "thread.tid" Int Event None "Thread id.";
            ThreadIsmain "thread.ismain" Bool Event None "Whether the thread is its process's first.";
            ThreadVtid "thread.vtid" Int Event None "Thread id in its own pid namespace.";

            UserUid "user.uid" Uint Process None "Effective user id.";
            UserName "user.name" Text Process None "Name of that user.";
            UserHomedir "user.homedir" Text Process None "Home directory of that user.";
            UserShell "user.shell" Text Process None "Login shell of that user.";
            UserLoginuid "user.loginuid" Int Process None "User id of the login this process descends from, -1 if none.";
            UserLoginname "user.loginname" Text Process None "Name of that user.";
            GroupGid "group.gid" Uint Process None "Effective group id.";
            GroupName "group.name" Text Process None "Name of that group.";

            ContainerId "container.id" Text Process None "First 12 characters of the container's id; `host` outside of containers.";
            ContainerFullId "container.full_id" Text Process None "The container's whole id.";
            ContainerName "container.name" Text Process None "Name of the container; `host` outside of containers.";
        }
    };
}

macro_rules! define {
    ($($name:ident $text:literal $kind:ident $binding:ident $arg:ident $doc:literal;)*) => {
        /// A field of the catalogue. Its number is the id used in rows' manifests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Field { $(#[doc = concat!("`", $text, "`: ", $doc)] $name,)* }

        impl Field {
            /// Every field, in order of ids.
            pub const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// Falco's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Field::$name => $text,)* }
            }
            /// Type of its values (of the elements, for a list).
            pub fn kind(self) -> Type {
                match self { $(Field::$name => Type::$kind,)* }
            }
            /// What its value depends on.
            pub fn binding(self) -> Binding {
                match self { $(Field::$name => Binding::$binding,)* }
            }
            /// What may stand in brackets behind it.
            pub fn arg(self) -> ArgKind {
                match self { $(Field::$name => ArgKind::$arg,)* }
            }
            /// One sentence on it.
            pub fn description(self) -> &'static str {
                match self { $(Field::$name => $doc,)* }
            }
        }
    };
}
for_each_field!(define);

impl Field {
    /// The field of that name, without argument.
    pub fn by_name(name: &str) -> Option<Field> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name)
    }

    /// The field with that id.
    pub fn by_id(id: u16) -> Option<Field> {
        Field::ALL.get(id as usize).copied()
    }

    /// Its number in manifests. Numbers hold within one version of [`crate::abi::VERSION`].
    pub fn id(self) -> u16 {
        self as u16
    }

    /// For a field that stands for both ends of a connection: the client's and the server's.
    /// A comparison with it holds if it holds for either (`!=`: for both).
    pub fn both_ends(self) -> Option<(Field, Field)> {
        match self {
            Field::FdIp => Some((Field::FdCip, Field::FdSip)),
            Field::FdPort => Some((Field::FdCport, Field::FdSport)),
            _ => None,
        }
    }

    /// Whether the field, with that argument, is a list, of which a comparison need only hold
    /// for one element: an ancestor field without a number.
    pub fn is_list(self, arg: &Arg) -> bool {
        self.is_ancestor() && *arg == Arg::None
    }

    /// Whether the field walks up the ancestors (`proc.a*`).
    pub fn is_ancestor(self) -> bool {
        matches!(
            self,
            Field::ProcAexe
                | Field::ProcAexepath
                | Field::ProcAname
                | Field::ProcAcmdline
                | Field::ProcApid
        )
    }
}

/// The argument of a field reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Arg {
    /// None given.
    #[default]
    None,
    /// A number.
    Index(u32),
    /// A name.
    Key(alloc::string::String),
}

/// A field with its argument: what a condition or an output names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldRef {
    /// The field.
    pub field: Field,
    /// Its argument.
    pub arg: Arg,
}

impl FieldRef {
    /// Reads `proc.aname[2]`, `evt.arg.flags`, `evt.arg[flags]`, `fd.name`.
    ///
    /// The longest catalogued name that `text` begins with decides; what follows must be an
    /// argument that the field takes.
    pub fn parse(text: &str) -> Result<FieldRef, FieldError> {
        let (name, bracket) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => {
                let arg = rest.strip_suffix(']').ok_or(FieldError::Argument)?;
                let bare = arg
                    .strip_prefix('"')
                    .and_then(|arg| arg.strip_suffix('"'))
                    .or_else(|| {
                        arg.strip_prefix('\'')
                            .and_then(|arg| arg.strip_suffix('\''))
                    })
                    .unwrap_or(arg);
                (name, Some(bare))
            }
        };
        if let Some(field) = Field::by_name(name) {
            return Ok(FieldRef {
                field,
                arg: field.read_arg(bracket)?,
            });
        }
        let (prefix, key) = name.rsplit_once('.').ok_or(FieldError::Unknown)?;
        match Field::by_name(prefix) {
            Some(field) if field.arg() == ArgKind::KeyRequired && bracket.is_none() => {
                Ok(FieldRef {
                    field,
                    arg: field.read_arg(Some(key))?,
                })
            }
            _ => Err(FieldError::Unknown),
        }
    }

    /// Whether a comparison with it need only hold for one element of a list.
    pub fn is_list(&self) -> bool {
        self.field.is_list(&self.arg)
    }
}

impl core::fmt::Display for FieldRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.arg {
            Arg::None => f.write_str(self.field.name()),
            Arg::Index(index) => write!(f, "{}[{index}]", self.field.name()),
            Arg::Key(key) if self.field.arg() == ArgKind::KeyRequired => {
                write!(f, "{}.{key}", self.field.name())
            }
            Arg::Key(key) => write!(f, "{}[{key}]", self.field.name()),
        }
    }
}

/// Why a text names no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// No field of that name.
    Unknown,
    /// The field exists and takes no such argument.
    Argument,
    /// The field needs an argument.
    ArgumentMissing,
}

impl Field {
    fn read_arg(self, arg: Option<&str>) -> Result<Arg, FieldError> {
        let Some(arg) = arg else {
            return match self.arg() {
                ArgKind::KeyRequired => Err(FieldError::ArgumentMissing),
                ArgKind::None | ArgKind::Index | ArgKind::Key => Ok(Arg::None),
            };
        };
        match self.arg() {
            ArgKind::None => Err(FieldError::Argument),
            ArgKind::Index => {
                let index = arg.parse().map_err(|_| FieldError::Argument)?;
                // Level 0 is the process itself, which Falco allows.
                Ok(Arg::Index(index))
            }
            ArgKind::Key | ArgKind::KeyRequired if arg.is_empty() => Err(FieldError::Argument),
            ArgKind::Key | ArgKind::KeyRequired => Ok(Arg::Key(arg.into())),
        }
    }
}
