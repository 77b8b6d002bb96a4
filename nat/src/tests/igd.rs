//! A UPnP Internet gateway device on loopback: it answers searches, shows its description, and maps ports.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
const ADD_PORT_MAPPING: [&str; 8] = [
    "NewRemoteHost",
    "NewExternalPort",
    "NewProtocol",
    "NewInternalPort",
    "NewInternalClient",
    "NewEnabled",
    "NewPortMappingDescription",
    "NewLeaseDuration",
];
const DELETE_PORT_MAPPING: [&str; 3] = ["NewRemoteHost", "NewExternalPort", "NewProtocol"];

/// How it answers requests to add a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Mapping,
    /// Leases are answered with error 725.
    OnlyPermanent,
    /// This outer port belongs to another client: error 718.
    Taken(u16),
    /// Every request is answered with this error.
    Error(u16),
    /// Found, but connections are not answered.
    Silent,
    /// Not XML.
    Garbage,
    /// Documents without end.
    Endless,
    /// Its description says that its URLs begin at another machine.
    Base,
    /// Its control URL is on another machine.
    Control,
    /// Its description is on another machine.
    Location,
    /// Every request is redirected to another machine.
    Redirect,
    /// The description of its service is on another machine.
    Schema,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) client: String,
    pub(super) internal: u16,
    pub(super) lease_s: u32,
    pub(super) times: u32,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) manner: Manner,
    http: SocketAddr,
    /// The machine that some manners name.
    other: SocketAddr,
    /// Another device, which answers searches first: where from, and where its documents are.
    faster: Option<(Arc<UdpSocket>, SocketAddr)>,
    pub(super) searches: u32,
    pub(super) connections: u32,
    /// By protocol ("TCP", "UDP") and outer port.
    pub(super) table: HashMap<(String, u16), Entry>,
}

/// It runs until dropped.
pub(super) struct Igd {
    /// The address at which searches are received.
    pub(super) ssdp: SocketAddr,
    answers: Arc<UdpSocket>,
    state: Arc<Mutex<State>>,
    answering: JoinHandle<()>,
    accepting: JoinHandle<()>,
}

impl Igd {
    pub(super) async fn start(at: Ipv4Addr, manner: Manner) -> Self {
        let searches = Arc::new(UdpSocket::bind((at, 0)).await.unwrap());
        let listener = TcpListener::bind((at, 0)).await.unwrap();
        let ssdp = searches.local_addr().unwrap();
        let http = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            manner,
            http,
            other: http,
            faster: None,
            searches: 0,
            connections: 0,
            table: HashMap::new(),
        }));
        Self {
            ssdp,
            answers: Arc::clone(&searches),
            answering: tokio::spawn(answer_searches(searches, Arc::clone(&state))),
            accepting: tokio::spawn(accept(listener, Arc::clone(&state))),
            state,
        }
    }

    /// All is forgotten, and its documents are at another port.
    pub(super) async fn restart(&mut self) {
        self.accepting.abort();
        let listener = TcpListener::bind((self.ssdp.ip(), 0)).await.unwrap();
        let http = listener.local_addr().unwrap();
        self.with(|state| {
            state.http = http;
            state.table.clear();
        });
        self.accepting = tokio::spawn(accept(listener, Arc::clone(&self.state)));
    }

    /// Another device receives the same searches, and answers them first.
    pub(super) fn is_overtaken_by(&self, other: &Self) {
        let faster = (Arc::clone(&other.answers), other.with(|state| state.http));
        self.with(|state| state.faster = Some(faster));
    }

    /// The machine that its manner is about.
    pub(super) fn names(&self, other: &Self) {
        let other = other.with(|state| state.http);
        self.with(|state| state.other = other);
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(super) fn entry(&self, protocol: &str, external: u16) -> Option<Entry> {
        let key = (protocol.to_owned(), external);
        self.with(|state| state.table.get(&key).cloned())
    }
}

impl Drop for Igd {
    fn drop(&mut self) {
        self.answering.abort();
        self.accepting.abort();
    }
}

async fn answer_searches(searches: Arc<UdpSocket>, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 1500];
    loop {
        let (len, from) = searches.recv_from(&mut buffer).await.unwrap();
        assert!(buffer[..len].starts_with(b"M-SEARCH * HTTP/1.1\r\n"));
        let (faster, location) = {
            let mut state = state.lock().unwrap();
            state.searches += 1;
            let location = match state.manner {
                Manner::Location => state.other,
                _ => state.http,
            };
            (state.faster.clone(), location)
        };
        let own = (Arc::clone(&searches), location);
        for (socket, http) in faster.into_iter().chain([own]) {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {SERVICE}\r\nLOCATION: http://{http}/root.xml\r\n\r\n"
            );
            socket.send_to(answer.as_bytes(), from).await.unwrap();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        state.lock().unwrap().connections += 1;
        let state = Arc::clone(&state);
        // A client that disconnects early ends this with an error.
        tokio::spawn(async move { serve(connection, state).await.unwrap_or_default() });
    }
}

async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let manner = state.lock().unwrap().manner;
    let request = read_request(&mut connection).await?;
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Endless => {
            connection
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<root>")
                .await?;
            loop {
                connection.write_all(&[b'x'; 16 * 1024]).await?;
            }
        }
        Manner::Redirect => {
            let other = state.lock().unwrap().other;
            let path = request.split(' ').nth(1).unwrap();
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{other}{path}\r\nContent-Length: 0\r\n\r\n"
            );
            return connection.write_all(answer.as_bytes()).await;
        }
        _ => {}
    }
    let (status, body) = state.lock().unwrap().answer(&request);
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(answer.as_bytes()).await
}

async fn read_request(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let len = lower.split("content-length: ").nth(1);
            let len = len.map_or(0, |rest| {
                rest.lines().next().unwrap().trim().parse().unwrap()
            });
            if body.len() >= len {
                return Ok(text);
            }
        }
        if connection.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

impl State {
    fn answer(&mut self, request: &str) -> (&'static str, String) {
        if self.manner == Manner::Garbage {
            return ("200 OK", "</s:Envelope>\u{0}<<<".to_owned());
        }
        if request.starts_with("GET /root.xml ") {
            return ("200 OK", root(self.manner, self.other));
        }
        if request.starts_with("GET /scpd.xml ") {
            return ("200 OK", scpd());
        }
        assert!(request.starts_with("POST /control "), "{request}");
        match self.act(request) {
            Ok((action, values)) => (
                "200 OK",
                envelope(&format!(
                    "<u:{action}Response xmlns:u=\"{SERVICE}\">{values}</u:{action}Response>"
                )),
            ),
            Err(code) => (
                "500 Internal Server Error",
                envelope(&format!(
                    "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>\
                <UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>{code}</errorCode>\
                <errorDescription>no</errorDescription></UPnPError></detail></s:Fault>"
                )),
            ),
        }
    }

    fn act(&mut self, request: &str) -> Result<(&'static str, String), u16> {
        if let Manner::Error(code) = self.manner {
            return Err(code);
        }
        if request.contains("#GetExternalIPAddress\"") {
            let address = "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>";
            return Ok(("GetExternalIPAddress", address.to_owned()));
        }
        let external: u16 = value(request, "NewExternalPort").parse().unwrap();
        let key = (value(request, "NewProtocol").to_owned(), external);
        if request.contains("#DeletePortMapping\"") {
            self.table.remove(&key).ok_or(714_u16)?;
            return Ok(("DeletePortMapping", String::new()));
        }
        assert!(request.contains("#AddPortMapping\""), "{request}");
        let lease_s: u32 = value(request, "NewLeaseDuration").parse().unwrap();
        match self.manner {
            Manner::OnlyPermanent if lease_s > 0 => return Err(725),
            Manner::Taken(port) if port == external => return Err(718),
            _ => {}
        }
        let times = self.table.get(&key).map_or(0, |entry| entry.times);
        let entry = Entry {
            client: value(request, "NewInternalClient").to_owned(),
            internal: value(request, "NewInternalPort").parse().unwrap(),
            lease_s,
            times: times + 1,
        };
        self.table.insert(key, entry);
        Ok(("AddPortMapping", String::new()))
    }
}

fn value<'a>(request: &'a str, name: &str) -> &'a str {
    let after = request.split(&format!("<{name}>")).nth(1).unwrap();
    after.split("</").next().unwrap()
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
        s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn root(manner: Manner, other: SocketAddr) -> String {
    let url = |path: &str, is_elsewhere: bool| match is_elsewhere {
        true => format!("http://{other}{path}"),
        false => path.to_owned(),
    };
    let schema = url("/scpd.xml", manner == Manner::Schema);
    let control = url("/control", manner == Manner::Control);
    let base = match manner {
        Manner::Base => format!("<URLBase>http://{other}/</URLBase>"),
        _ => String::new(),
    };
    let service = format!(
        "<service><serviceType>{SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>\
        <SCPDURL>{schema}</SCPDURL><controlURL>{control}</controlURL><eventSubURL>/events</eventSubURL></service>"
    );
    let device = |name: &str, inside: &str| {
        format!(
            "<device><deviceType>urn:schemas-upnp-org:device:{name}:1</deviceType>{inside}</device>"
        )
    };
    let list = |inside: &str| format!("<deviceList>{inside}</deviceList>");
    let connection = device(
        "WANConnectionDevice",
        &format!("<serviceList>{service}</serviceList>"),
    );
    let wan = device("WANDevice", &list(&connection));
    let gateway = device("InternetGatewayDevice", &list(&wan));
    format!(
        "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}{gateway}</root>"
    )
}

fn scpd() -> String {
    let action = |name: &str, arguments: &[&str]| {
        let arguments: String = arguments
            .iter()
            .map(|name| {
                format!("<argument><name>{name}</name><direction>in</direction></argument>")
            })
            .collect();
        format!("<action><name>{name}</name><argumentList>{arguments}</argumentList></action>")
    };
    let actions = [
        action("AddPortMapping", &ADD_PORT_MAPPING),
        action("DeletePortMapping", &DELETE_PORT_MAPPING),
    ];
    format!(
        "<?xml version=\"1.0\"?><scpd xmlns=\"urn:schemas-upnp-org:service-1-0\"><actionList>{}</actionList></scpd>",
        actions.concat()
    )
}
