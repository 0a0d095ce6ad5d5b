//! What does a run look like? Bars beside tokio for each group, a curve for each growth; SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::peers::{COLUMNS, is_real_peer};
use crate::registry::{Group, Row, Workload, all};
use crate::results::Results;

const SIZE: (u32, u32) = (1500, 560);
const GROUPS: [(Group, &str); 5] = [
    (Group::Tasks, "tasks"),
    (Group::Waiting, "waiting"),
    (Group::Time, "time"),
    (Group::Memory, "memory"),
    (Group::Network, "network"),
];
/// By column of the table.
const COLOURS: [RGBColor; 12] = [
    RGBColor(200, 30, 30),
    RGBColor(90, 120, 180),
    RGBColor(40, 60, 120),
    RGBColor(110, 170, 90),
    RGBColor(170, 200, 130),
    RGBColor(230, 160, 50),
    RGBColor(240, 200, 120),
    RGBColor(150, 100, 170),
    RGBColor(100, 180, 180),
    RGBColor(150, 150, 150),
    RGBColor(120, 120, 120),
    RGBColor(180, 180, 180),
];

type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The names of the files, in `folder`.
///
/// # Errors
/// What the file system says.
pub fn draw(
    results: &Results,
    folder: &Path,
) -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
    std::fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for (group, name) in GROUPS {
        let rows: Vec<_> =
            results.rows().filter(|(w, _)| w.group == group).map(|(_, r)| r).collect();
        if !rows.is_empty() {
            let file = format!("{name}.svg");
            bars(results, &rows, name, &folder.join(&file))?;
            files.push(file);
        }
    }
    for workload in all().filter(|workload| workload.group == Group::Growth) {
        if curve_of(results, workload, "lone").len() > 1 {
            let file = format!("{}.svg", workload.name);
            curves(results, workload, &folder.join(&file))?;
            files.push(file);
        }
    }
    Ok(files)
}

/// The ratio to tokio's `LocalRuntime`, on a scale of powers: each step of the grid is a factor.
fn bars(results: &Results, rows: &[&Row], title: &str, file: &Path) -> Drawn {
    const LEAST: f64 = 0.02;
    const MOST: f64 = 5.0;
    let peers = COLUMNS.iter().enumerate().filter(|(_, peer)| {
        **peer != "tokio_lrt" && rows.iter().any(|row| results.of(row.name, peer).is_some())
    });
    let peers: Vec<_> = peers.collect();
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let caption = format!("{title}: ratio to tokio's LocalRuntime (less is better)");
    let mut chart = ChartBuilder::on(&root)
        .caption(caption, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..1.12 * rows.len() as f64, (LEAST..MOST).log_scale())?;
    // Beyond the last row there is room for the legend. Labels fall on halves, of which the odd ones count.
    let name = |x: &f64| {
        let middle = (x.fract() - 0.5).abs() < 0.01;
        let row = if middle { rows.get(*x as usize) } else { None };
        row.map_or(String::new(), |row| row.name.to_owned())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(5 * rows.len() / 2 + 2)
        .x_label_formatter(&name)
        .x_label_style(("sans-serif", 11))
        .draw()?;
    for (place, (column, peer)) in peers.iter().enumerate() {
        let width = 0.85 / peers.len() as f64;
        let colour = COLOURS[*column];
        let bar = |(index, row): (usize, &&Row)| {
            let ratio = results.ratio(row.name, peer, "tokio_lrt")?.clamp(LEAST, MOST);
            let left = index as f64 + 0.075 + width * place as f64;
            Some(Rectangle::new([(left, LEAST), (left + width * 0.9, ratio)], colour.filled()))
        };
        chart
            .draw_series(rows.iter().enumerate().filter_map(bar))?
            .label(**peer)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    let one = [(0.0, 1.0), (rows.len() as f64, 1.0)];
    chart.draw_series(LineSeries::new(one, BLACK.stroke_width(1)))?;
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

/// The points of a growth: the size that the key names, and the figure.
fn curve_of(results: &Results, workload: &'static Workload, peer: &str) -> Vec<(f64, f64)> {
    let point = |row: &'static Row| Some((row.key.parse().ok()?, results.of(row.name, peer)?));
    workload.rows.iter().filter_map(point).collect()
}

fn curves(results: &Results, workload: &'static Workload, file: &Path) -> Drawn {
    let peers =
        COLUMNS.iter().enumerate().filter(|(_, peer)| **peer == "lone" || is_real_peer(peer));
    let curves = peers.map(|(index, peer)| (index, *peer, curve_of(results, workload, peer)));
    let curves: Vec<_> = curves.filter(|(_, _, points)| points.len() > 1).collect();
    let points = || curves.iter().flat_map(|(_, _, points)| points);
    let widest = points().map(|point| point.0).fold(0.0, f64::max);
    let narrowest = points().map(|point| point.0).fold(f64::MAX, f64::min);
    let highest = points().map(|point| point.1).fold(0.0, f64::max) * 1.1;
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let unit = workload.rows[0].unit;
    let mut chart = ChartBuilder::on(&root)
        .caption(format!("{}: {unit} among so many", workload.name), ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((narrowest..widest).log_scale(), 0.0..highest)?;
    chart.configure_mesh().y_desc(unit).x_label_formatter(&|x| format!("{x:e}")).draw()?;
    for (index, peer, points) in curves {
        let colour = COLOURS[index];
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(peer)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        let dots = points.into_iter().map(|point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
