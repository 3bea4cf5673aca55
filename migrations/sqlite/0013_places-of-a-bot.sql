CREATE TABLE `places` (
	`id` text PRIMARY KEY NOT NULL,
	`service_url` text NOT NULL,
	`conversation` text,
	`user_id` text,
	`name` text,
	`zone` text,
	`closed_at` integer,
	`seen_at` integer NOT NULL
);
