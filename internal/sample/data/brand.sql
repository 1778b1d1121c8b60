CREATE TABLE products (
    id INTEGER PRIMARY KEY, gtin TEXT, name_zh TEXT, name_en TEXT, series_zh TEXT, series_en TEXT, packaging_zh TEXT,
    packaging_en TEXT, pack_spec TEXT, origin_country TEXT, plant_gln TEXT, plant_zh TEXT, plant_en TEXT,
    address_zh TEXT, address_en TEXT
);
CREATE TABLE trace_codes (
    id INTEGER PRIMARY KEY, code TEXT UNIQUE, product_id INTEGER REFERENCES products, batch TEXT, made_on TEXT,
    best_before TEXT, printed_at TEXT
);
INSERT INTO products VALUES (1, '7613035982949', '启赋有机幼儿配方奶粉3阶段', 'illuma organic formula stage 3', '启赋有机', 'illuma organic',
    '罐装', 'Tin', '900 g × 6', 'IE', '5391520850004', '惠氏营养品（爱尔兰）有限公司阿斯基顿工厂', 'Wyeth Nutritionals Ireland, Askeaton plant',
    '爱尔兰利默里克郡阿斯基顿', 'Askeaton, Co. Limerick, Ireland');
INSERT INTO trace_codes VALUES
    (1, '02130081810167359142', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:00'),
    (2, '02130081810167359143', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:01'),
    (3, '02130081810167359144', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:02'),
    (4, '02130081810167359145', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:03'),
    (5, '02130081810167359146', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:04'),
    (6, '02130081810167359147', 1, '9121755841', '2019-05-01', '2021-04-30', '2019-05-01 08:30:05');
