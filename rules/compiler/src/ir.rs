//! Conditions after lowering: a graph of and, or, not and tests, in which equal parts are one
//! node. Fields and operators are checked, absent fields spelled out, macros gone.
//!
//! Every node has a bounded depth, so that the stages behind may recurse, on a stack for it.

use crate::automaton::Automaton;
use crate::value;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use saker_rules_schema::field::Type;
use saker_rules_schema::term::{Term, Transformer};
use std::fmt;
use std::sync::Arc;

/// Levels of and, or and not in each other: two for each of the parser's groups.
const DEPTH_MAX: u16 = 2000;
/// Bytes of stack that a level may take of a walk.
const LEVEL_BYTES: usize = 16 << 10;
/// Nodes and edges of a graph.
const ROOM: usize = 4_000_000;
/// Tests met on a walk through an expression, shared ones each time: `oracle` is such a walk.
const WALK_MAX: u32 = 1_000_000;

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

impl Id {
    /// The node that is never true.
    pub const FALSE: Id = Id(0);
    /// The node that is always true.
    pub const TRUE: Id = Id(1);

    /// Position among the nodes of its graph.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// Never true.
    False,
    /// Always true.
    True,
    /// True if the other is false.
    Not(Id),
    /// True if all are.
    And(Vec<Id>),
    /// True if one is.
    Or(Vec<Id>),
    /// A question to one value.
    Test(Test),
}

/// A question to one value. False if it is absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// The value. If it is a list, one element must satisfy the operator.
    pub term: Term,
    /// The question.
    pub op: Op,
}

/// The question of a test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Whether it has a value.
    Exists,
    /// Whether the text or address is one of these (sorted, no duplicates).
    In(Vec<Vec<u8>>),
    /// Whether the text or address is not this one. Only for lists, where it is not the
    /// contrary of `In`.
    Differs(Vec<u8>),
    /// Whether the text contains this.
    Contains(Vec<u8>),
    /// Whether the text contains this, in upper or lower case (lower case here).
    IContains(Vec<u8>),
    /// Whether the text begins with this.
    StartsWith(Vec<u8>),
    /// Whether the text ends with this.
    EndsWith(Vec<u8>),
    /// Whether the whole text matches the pattern.
    Glob(Pattern),
    /// Whether the automaton accepts the whole text.
    Accepted(Automaton),
    /// Whether the address lies in one of these networks (sorted, no duplicates).
    Networks(Vec<Network>),
    /// Whether the number is one of these (sorted, no duplicates).
    Numbers(Vec<i128>),
    /// Whether the number lies in this range, both ends included.
    Range(i128, i128),
}

/// A network: an address of 4 or 16 bytes, and how many of its bits count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: Vec<u8>,
    bits: u8,
}

impl Network {
    /// The network with that address in it; `None` for more bits than it has.
    pub(crate) fn new(address: std::net::IpAddr, bits: u8) -> Option<Network> {
        let mut address = match address {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        if usize::from(bits) > address.len() * 8 {
            return None;
        }
        let mask = mask(bits, address.len());
        for (byte, mask) in address.iter_mut().zip(&mask) {
            *byte &= mask;
        }
        Some(Network { address, bits })
    }

    /// Whether the address, of as many bytes, lies in it.
    pub fn contains(&self, address: &[u8]) -> bool {
        let mask = self.mask();
        address.len() == mask.len()
            && (address.iter().zip(&mask))
                .zip(&self.address)
                .all(|((byte, mask), own)| byte & mask == *own)
    }

    /// Its address, the bits that do not count being 0.
    pub(crate) fn address(&self) -> &[u8] {
        &self.address
    }

    /// The bits that count.
    pub(crate) fn mask(&self) -> Vec<u8> {
        mask(self.bits, self.address.len())
    }
}

fn mask(bits: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|byte| match usize::from(bits).saturating_sub(byte * 8) {
            0 => 0,
            left @ 1..8 => u8::MAX << (8 - left),
            _ => u8::MAX,
        })
        .collect()
}

/// A glob pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Pattern(pub Vec<Piece>);

impl Pattern {
    /// The bytes that every text that matches begins with.
    pub(crate) fn literal_start(&self) -> Vec<u8> {
        let bytes = self.0.iter().map_while(|piece| match piece {
            Piece::Byte(byte) => Some(*byte),
            Piece::Any | Piece::Star | Piece::Class { .. } => None,
        });
        bytes.collect()
    }
}

/// A piece of a glob pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// This byte.
    Byte(u8),
    /// Any one byte (`?`).
    Any,
    /// Any bytes, or none (`*`).
    Star,
    /// One byte of a set, as ranges with both ends (`[a-z]`).
    Class {
        /// One that is *not* in the set (`[!a-z]`).
        negated: bool,
        /// The set.
        ranges: Vec<(u8, u8)>,
    },
}

impl Op {
    /// Whether the text's bytes are needed, or its literal id is enough.
    pub fn needs_bytes(&self) -> bool {
        match self {
            Op::Exists | Op::In(_) | Op::Differs(_) | Op::Numbers(_) | Op::Range(..) => false,
            Op::Contains(_)
            | Op::IContains(_)
            | Op::StartsWith(_)
            | Op::EndsWith(_)
            | Op::Glob(_)
            | Op::Accepted(_)
            | Op::Networks(_) => true,
        }
    }
}

/// Whether values of the type lie in a row as strings.
pub fn is_string(kind: Type) -> bool {
    match kind {
        Type::Text | Type::Bytes | Type::IpAddr | Type::IpNet => true,
        Type::Bool
        | Type::Int
        | Type::Uint
        | Type::Port
        | Type::AbsTime
        | Type::RelTime
        | Type::Double => false,
    }
}

/// Nodes, of which no two are equal.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    depths: Vec<u16>,
    walks: Vec<u32>,
    known: HashMap<Node, Id, FixedState>,
    room: usize,
    exceeded: bool,
}

impl Default for Graph {
    fn default() -> Graph {
        let mut graph = Graph {
            nodes: Vec::new(),
            depths: Vec::new(),
            walks: Vec::new(),
            known: HashMap::default(),
            room: ROOM,
            exceeded: false,
        };
        graph.add(Node::False);
        graph.add(Node::True);
        graph
    }
}

impl Graph {
    /// The node.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }

    /// How many nodes there are; their indices are below it, each above those it refers to.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes: never, the constants are always there.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes; what one is made of comes before it.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Whether a bound was met since the last call. The nodes made then are wrong.
    pub(crate) fn take_exceeded(&mut self) -> bool {
        std::mem::take(&mut self.exceeded)
    }

    fn add(&mut self, node: Node) -> Id {
        if let Some(id) = self.known.get(&node) {
            return *id;
        }
        let (children, step): (&[Id], u16) = match &node {
            Node::False | Node::True | Node::Test(_) => (&[], 0),
            Node::Not(part) => (std::slice::from_ref(part), 1),
            Node::And(parts) | Node::Or(parts) => (parts, 1),
        };
        let depth = children
            .iter()
            .map(|child| self.depths[child.index()])
            .max()
            .unwrap_or(0)
            + step;
        let walk = children.iter().fold(1u32, |sum, child| {
            sum.saturating_add(self.walks[child.index()])
        });
        let cost = 1 + children.len();
        if depth > DEPTH_MAX || walk > WALK_MAX || cost > self.room {
            self.exceeded = true;
            return Id::FALSE;
        }
        self.room -= cost;
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(node.clone());
        self.depths.push(depth);
        self.walks.push(walk);
        self.known.insert(node, id);
        id
    }

    /// A test, or the constant it amounts to.
    pub(crate) fn test(&mut self, term: Term, op: Op) -> Id {
        if term.is_absent() {
            return Id::FALSE;
        }
        match &op {
            Op::In(values) if values.is_empty() => return Id::FALSE,
            Op::Numbers(values) if values.is_empty() => return Id::FALSE,
            Op::Networks(networks) if networks.is_empty() => return Id::FALSE,
            Op::Range(min, max) if min > max => return Id::FALSE,
            Op::Contains(part)
            | Op::IContains(part)
            | Op::StartsWith(part)
            | Op::EndsWith(part)
                if part.is_empty() && !term.is_list() =>
            {
                return self.add(Node::Test(Test {
                    term,
                    op: Op::Exists,
                }));
            }
            Op::In(_)
            | Op::Numbers(_)
            | Op::Range(..)
            | Op::Contains(_)
            | Op::IContains(_)
            | Op::StartsWith(_)
            | Op::EndsWith(_)
            | Op::Exists
            | Op::Differs(_)
            | Op::Glob(_)
            | Op::Accepted(_)
            | Op::Networks(_) => {}
        }
        self.add(Node::Test(Test { term, op }))
    }

    pub(crate) fn not(&mut self, part: Id) -> Id {
        match self.node(part) {
            Node::False => Id::TRUE,
            Node::True => Id::FALSE,
            Node::Not(inner) => *inner,
            Node::And(_) | Node::Or(_) | Node::Test(_) => self.add(Node::Not(part)),
        }
    }

    pub(crate) fn and(&mut self, parts: Vec<Id>) -> Id {
        self.join(parts, true)
    }

    pub(crate) fn or(&mut self, parts: Vec<Id>) -> Id {
        self.join(parts, false)
    }

    /// And or or with these parts, even if one of them could be made flat.
    pub(crate) fn grouped(&mut self, parts: Vec<Id>, and: bool) -> Id {
        match (parts.as_slice(), and) {
            ([only], _) => *only,
            (_, true) => self.add(Node::And(parts)),
            (_, false) => self.add(Node::Or(parts)),
        }
    }

    /// And or or: flat, without duplicates, constants folded.
    fn join(&mut self, parts: Vec<Id>, and: bool) -> Id {
        let (neutral, absorbing) = match and {
            true => (Id::TRUE, Id::FALSE),
            false => (Id::FALSE, Id::TRUE),
        };
        let mut flat: Vec<Id> = Vec::with_capacity(parts.len());
        let mut seen: HashSet<Id, FixedState> = HashSet::default();
        for part in parts {
            let inner: &[Id] = match (self.node(part), and) {
                (Node::And(inner), true) | (Node::Or(inner), false) => inner,
                (
                    Node::And(_)
                    | Node::Or(_)
                    | Node::Not(_)
                    | Node::Test(_)
                    | Node::True
                    | Node::False,
                    _,
                ) => std::slice::from_ref(&part),
            };
            if inner.len() > self.room {
                self.exceeded = true;
                return Id::FALSE;
            }
            for id in inner {
                if *id == absorbing {
                    return absorbing;
                }
                if *id != neutral && seen.insert(*id) {
                    flat.push(*id);
                }
            }
        }
        // `x and not x`
        let contrary = flat
            .iter()
            .any(|id| matches!(self.node(*id), Node::Not(inner) if seen.contains(inner)));
        if contrary {
            return absorbing;
        }
        match flat.as_slice() {
            [] => neutral,
            [only] => *only,
            _ if and => self.add(Node::And(flat)),
            _ => self.add(Node::Or(flat)),
        }
    }

    /// Runs a walk down from the node, with stack enough for its levels.
    pub(crate) fn walk<T>(&self, id: Id, walk: impl FnOnce() -> T) -> T {
        on_stack(self.depths[id.index()], walk)
    }

    /// Shows a node in the rule language.
    pub fn show(&self, id: Id) -> impl fmt::Display + '_ {
        Show { graph: self, id }
    }
}

/// Runs stages that walk through whatever a graph may hold.
pub(crate) fn on_deep_stack<T>(stages: impl FnOnce() -> T) -> T {
    on_stack(DEPTH_MAX, stages)
}

fn on_stack<T>(levels: u16, walk: impl FnOnce() -> T) -> T {
    let bytes = (1 + usize::from(levels)) * LEVEL_BYTES;
    stacker::maybe_grow(bytes, bytes, walk)
}

/// A condition: a graph and where to begin.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The nodes, shared by all conditions of a ruleset.
    pub graph: Arc<Graph>,
    /// The condition's node.
    pub root: Id,
}

impl Expr {
    /// What must all hold: the parts of an and, else the whole.
    pub fn parts(&self) -> Vec<Expr> {
        let roots = match self.graph.node(self.root) {
            Node::And(parts) => parts.clone(),
            Node::Or(_) | Node::Not(_) | Node::Test(_) | Node::True | Node::False => {
                vec![self.root]
            }
        };
        let part = |root| Expr {
            graph: self.graph.clone(),
            root,
        };
        roots.into_iter().map(part).collect()
    }

    /// The values it asks for, fields in the order of the catalogue.
    pub fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        let mut seen = vec![false; self.graph.len()];
        let mut stack = vec![self.root];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            match self.graph.node(id) {
                Node::False | Node::True => {}
                Node::Not(part) => stack.push(*part),
                Node::And(parts) | Node::Or(parts) => stack.extend(parts),
                Node::Test(test) => terms.push(test.term.clone()),
            }
        }
        terms.sort();
        terms.dedup();
        terms
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expr { graph, root } = self;
        graph.walk(*root, || graph.show(*root).fmt(f))
    }
}

struct Show<'a> {
    graph: &'a Graph,
    id: Id,
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |id: Id| self.graph.show(id);
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Id], word: &str| {
            f.write_str("(")?;
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    write!(f, " {word} ")?;
                }
                write!(f, "{}", show(*part))?;
            }
            f.write_str(")")
        };
        match self.graph.node(self.id) {
            Node::False => f.write_str("false"),
            Node::True => f.write_str("true"),
            Node::Not(part) => write!(f, "not {}", show(*part)),
            Node::And(parts) => join(f, parts, "and"),
            Node::Or(parts) => join(f, parts, "or"),
            Node::Test(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| match self.term.kind() {
            Type::IpAddr | Type::IpNet => address(bytes),
            Type::Text
            | Type::Bytes
            | Type::Double
            | Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Port
            | Type::AbsTime
            | Type::RelTime => format!("\"{}\"", bytes.escape_ascii()),
        };
        let field = &self.term;
        match &self.op {
            Op::Exists => match field {
                // A list is there if its length is.
                Term::Made(Transformer::Len, of) => match of.as_slice() {
                    [list] if list.is_list() => write!(f, "{list} exists"),
                    _ => write!(f, "{field} exists"),
                },
                field => write!(f, "{field} exists"),
            },
            Op::In(values) => match values.as_slice() {
                [value] => write!(f, "{field} = {}", text(value)),
                values => {
                    let values: Vec<String> = values.iter().map(|value| text(value)).collect();
                    write!(f, "{field} in ({})", values.join(", "))
                }
            },
            Op::Differs(value) => write!(f, "{field} != {}", text(value)),
            Op::Contains(value) => write!(f, "{field} contains {}", text(value)),
            Op::IContains(value) => write!(f, "{field} icontains {}", text(value)),
            Op::StartsWith(value) => write!(f, "{field} startswith {}", text(value)),
            Op::EndsWith(value) => write!(f, "{field} endswith {}", text(value)),
            Op::Glob(pattern) => write!(f, "{field} glob {pattern}"),
            Op::Accepted(automaton) => write!(f, "{field} {automaton}"),
            Op::Networks(networks) => {
                let networks: Vec<String> = networks
                    .iter()
                    .map(|network| format!("{}/{}", address(&network.address), network.bits))
                    .collect();
                write!(f, "{field} in ({})", networks.join(", "))
            }
            Op::Numbers(values) => match values.as_slice() {
                [1] if matches!(field, Term::Compared(..)) => write!(f, "{field}"),
                [0] if self.term.kind() == Type::Bool => write!(f, "{field} = false"),
                [1] if self.term.kind() == Type::Bool => write!(f, "{field} = true"),
                [value] => write!(f, "{field} = {value}"),
                values => {
                    let values: Vec<String> = values.iter().map(i128::to_string).collect();
                    write!(f, "{field} in ({})", values.join(", "))
                }
            },
            Op::Range(min, max) => match value::limits(self.term.kind()) {
                (_, greatest) if *max >= greatest => write!(f, "{field} >= {min}"),
                (least, _) if *min <= least => write!(f, "{field} <= {max}"),
                _ => write!(f, "{field} in {min}..={max}"),
            },
        }
    }
}

fn address(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        return std::net::Ipv6Addr::from(v6).to_string();
    }
    bytes.escape_ascii().to_string()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for piece in &self.0 {
            match piece {
                Piece::Byte(byte @ (b'*' | b'?' | b'[' | b'\\')) => {
                    write!(f, "\\{}", *byte as char)?;
                }
                Piece::Byte(byte) => write!(f, "{}", byte.escape_ascii())?,
                Piece::Any => f.write_str("?")?,
                Piece::Star => f.write_str("*")?,
                Piece::Class { negated, ranges } => {
                    f.write_str(if *negated { "[!" } else { "[" })?;
                    for (first, last) in ranges {
                        write!(f, "{}-{}", first.escape_ascii(), last.escape_ascii())?;
                    }
                    f.write_str("]")?;
                }
            }
        }
        f.write_str("'")
    }
}
