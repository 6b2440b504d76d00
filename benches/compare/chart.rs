//! Disk use over time as a drawing: SVG by hand, on a ground of its own, so that it is readable on any page.

use std::fmt::{Arguments, Write as _};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Of the plot within the drawing.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 72.0;
const BOTTOM: f64 = 48.0;
/// Told apart also by those who see colours otherwise, and by their dashes.
const STYLES: [(&str, &str); 3] = [("#b3541e", "7 4"), ("#5b5fc7", "2 3"), ("#0b7a5c", "none")];
const TICKS_MAX: f64 = 8.0;

/// What one tool held on disk.
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Seconds and megabytes.
    pub(crate) disk: Vec<(f64, f64)>,
    /// When the producer had written all.
    pub(crate) produced: f64,
    /// When the consumer had read all.
    pub(crate) ended: f64,
}

impl Curve {
    /// Clipped to the run, and down to nothing at its end: what the tool held is gone then, or is removed.
    fn points(&self) -> Vec<(f64, f64)> {
        let mut points = vec![(0.0, 0.0)];
        points.extend(self.disk.iter().copied().step_by(2).filter(|(at, _)| *at <= self.ended));
        points.extend(points.last().map(|(_, last)| (self.ended, *last)));
        points.push((self.ended, 0.0));
        points
    }

    /// What was there at that time.
    fn at(&self, time: f64) -> f64 {
        self.disk.iter().take_while(|(at, _)| *at <= time).last().map_or(0.0, |(_, disk)| *disk)
    }
}

/// The whole drawing. `what` tells what was measured, `where_` on what.
pub(crate) fn svg(what: &str, where_: &str, curves: &[Curve]) -> String {
    let greatest = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    let seconds = greatest(curves.iter().map(|curve| curve.ended).collect()).max(f64::MIN_POSITIVE);
    let megabytes = greatest(curves.iter().flat_map(|curve| &curve.disk).map(|(_, disk)| *disk).collect()).max(1.0);
    let (x_step, y_step) = (step(seconds), step(megabytes));
    let plot = Plot { x_max: (seconds / x_step).ceil() * x_step, y_max: (megabytes / y_step).ceil() * y_step };

    let mut out = Drawing(String::new());
    out.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#24292f\">\n\
         <title>Disk use over time</title>\n<desc>{}; {}</desc>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#ffffff\"/>\n",
        escaped(what),
        escaped(where_)
    ));
    out.text(16.0, 22.0, "start", "font-size=\"15\" font-weight=\"bold\"", "Disk use over time");
    out.text(16.0, 40.0, "start", "fill=\"#57606a\"", &format!("{what}; {where_}"));
    axes(&mut out, &plot, x_step, y_step);
    for (i, (curve, (colour, dashes))) in curves.iter().zip(STYLES).enumerate() {
        legend(&mut out, i, curve, colour, dashes);
        line(&mut out, &plot, curve, colour, dashes);
    }
    out.0.push_str("</svg>\n");
    out.0
}

/// Of 1, 2 or 5 times a power of ten: that which makes not too many ticks.
fn step(greatest: f64) -> f64 {
    let power = 10_f64.powf((greatest / TICKS_MAX).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| greatest / step <= TICKS_MAX).unwrap_or(power)
}

/// From what was measured to places in the drawing.
struct Plot {
    x_max: f64,
    y_max: f64,
}

impl Plot {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.x_max * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, megabytes: f64) -> f64 {
        HEIGHT - BOTTOM - megabytes / self.y_max * (HEIGHT - TOP - BOTTOM)
    }
}

fn axes(out: &mut Drawing, plot: &Plot, x_step: f64, y_step: f64) {
    let (left, right, bottom, top) = (plot.x(0.0), plot.x(plot.x_max), plot.y(0.0), plot.y(plot.y_max));
    for tick in ticks(plot.y_max, y_step) {
        let y = plot.y(tick);
        out.put(format_args!("<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#d0d7de\"/>\n"));
        out.text(left - 8.0, y + 4.0, "end", "", &label(tick));
    }
    for tick in ticks(plot.x_max, x_step) {
        let x = plot.x(tick);
        out.put(format_args!("<path d=\"M{x:.1} {bottom:.1}v5\" stroke=\"#57606a\"/>\n"));
        out.text(x, bottom + 18.0, "middle", "", &label(tick));
    }
    out.put(format_args!(
        "<path d=\"M{left:.1} {top:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#57606a\"/>\n"
    ));
    out.text(f64::midpoint(left, right), HEIGHT - 10.0, "middle", "", "seconds since the start");
    let middle = f64::midpoint(top, bottom);
    out.text(16.0, middle, "middle", &format!("transform=\"rotate(-90 16 {middle:.1})\""), "MB on disk");
}

fn ticks(greatest: f64, step: f64) -> impl Iterator<Item = f64> {
    (0_u32..).map(move |n| f64::from(n) * step).take_while(move |tick| *tick <= greatest + step / 2.0)
}

/// Without a fraction unless there is one.
fn label(tick: f64) -> String {
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn legend(out: &mut Drawing, i: usize, curve: &Curve, colour: &str, dashes: &str) {
    let x = LEFT + f64::from(u32::try_from(i).unwrap_or_default()) * 150.0;
    out.put(format_args!(
        "<path d=\"M{x:.1} 58h26\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\"/>\n"
    ));
    out.text(x + 32.0, 62.0, "start", "", &curve.name);
    if i == 0 {
        out.put(format_args!("<circle cx=\"{:.1}\" cy=\"58\" r=\"4.5\" fill=\"#57606a\"/>\n", WIDTH - RIGHT - 138.0));
        out.text(WIDTH - RIGHT - 128.0, 62.0, "start", "", "the producer is done");
    }
}

fn line(out: &mut Drawing, plot: &Plot, curve: &Curve, colour: &str, dashes: &str) {
    let points: Vec<_> =
        curve.points().iter().map(|(at, disk)| format!("{:.1},{:.1}", plot.x(*at), plot.y(*disk))).collect();
    out.put(format_args!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\" \
         stroke-linejoin=\"round\"/>\n",
        points.join(" ")
    ));
    let (x, y) = (plot.x(curve.produced), plot.y(curve.at(curve.produced)));
    out.put(format_args!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\" stroke=\"#ffffff\" stroke-width=\"1.5\">\
         <title>{}: the producer is done after {:.1} s</title></circle>\n",
        escaped(&curve.name),
        curve.produced
    ));
}

/// SVG in the making.
struct Drawing(String);

impl Drawing {
    fn put(&mut self, what: Arguments<'_>) {
        self.0.write_fmt(what).expect("a String takes all");
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, attributes: &str, text: &str) {
        let text = escaped(text);
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {attributes}>{text}</text>\n"));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
